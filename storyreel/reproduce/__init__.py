"""What a paper claims for itself, trained and measured at small scale by one command.

phenaki.py runs the claims and keeps what is finished; settings.py is what a person may choose; tokens.py, story.py
and combinations.py measure one claim each; script.py writes the stories, seams.py looks at their joints; interval.py
says how sure a figure is; kept.py makes a clip once; pictures.py and report.py show it all.
"""
