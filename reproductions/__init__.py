"""What a paper claims for itself, trained and measured at small scale by one command.

A paper is one file (phenaki, godiva, imagen_video, make_a_video, curation) that says how to measure its claims, with
files of its name beside it, and one file of tables, X_report.py. For all of them: claims.py measures one after the
other and keeps what is finished; report.py is what tables are made of; settings.py is what a person may choose;
pace.py turns minutes into steps; cached_clips.py makes a clip once; pictures.py shows clips. Of Phenaki are also
tokens, story, script, combinations and reconstruction; ablation is GODIVA's, interpolation_baselines Make-A-Video's.
"""
