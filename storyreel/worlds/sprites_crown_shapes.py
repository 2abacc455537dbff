"""Crowns, tiaras, wreaths, a halo and a horned helmet, as `sprites_hat_shapes` has its hats."""

from __future__ import annotations

CROWNS = {
    ("crown", "down"): (11, 21, """
        ..........11..........
        .1...1....11....1...1.
        11..11...1331...11..11
        1311441..1331..1221121
        1333441.133331.1222221
        1333444133333312222221
        1222222433333322222221
        1334444222222223322221
        133Cc44433Rr33333Cc221
        111cc44433rr33333cc111
        ...1111111111111111...
    """),
    ("crown", "up"): (11, 21, """
        ..........11..........
        .1...1....11....1...1.
        11..11...1331...11..11
        1311441..1331..1221121
        1333441.133331.1222221
        1333444133333312222221
        1222222433333322222221
        1334444222222223322221
        133Rr44433Cc33333Rr221
        111rr44433cc33333rr111
        ...1111111111111111...
    """),
    ("crown", "right"): (11, 20, """
        ..........11..........
        .1...1....11....1...1.
        11..11...1331...11..11
        1311441..1331..1221121
        1333441.133331.1222221
        1333444133333312222221
        1222222433333322222221
        1334444222222223322221
        1334Cc44333Cc33332Rr21
        1114cc44333cc33332rr11
        ...1111111111111111...
    """),
    ("tiara", "down"): (12, 21, """
        ..........11..........
        .........1441.........
        ....11..143341..11....
        ...1441.14rR41.1441...
        ...134114rrrr411431...
        ....133143rr341331....
        1111113333333333111111
        1334411133333311132221
        1134444443333333332211
        ..111111111111111111..
    """),
    ("tiara", "up"): (18, 21, """
        11111............11111
        1334411111111111132221
        1134444443333333332211
        ..111111111111111111..
    """),
    ("tiara", "right"): (13, 24, """
        ..............11..
        .............1441.
        .........11..1R41.
        ........1441.1rr31
        ........134114rr31
        1........133333331
        111111111113333331
        144443333333332211
        1111111111111111..
    """),
    ("circlet", "down"): (18, 21, """
        11.......1111.......11
        1311111111Cc1111111121
        1334444441cc1333332221
        1114444441cc1333332111
        ...1111111111111111...
    """),
    ("circlet", "up"): (18, 21, """
        11..................11
        1311111111111111111121
        1334444443333333332221
        1114444443333333332111
        ...1111111111111111...
    """),
    ("circlet", "right"): (18, 20, """
        11...............11111
        131111111111111111Cc11
        133444444333333331cc11
        111444444333333331cc11
        ...11111111111111111..
    """),
    ("flower wreath", "down"): (16, 21, """
        V....................V
        ppPVVV..........VVwwpV
        pgpvvwwpVVppPVkkKvwgwV
        PpPvvwgwvvpgpukgkVpwpV
        VvvuVpwpvVPpPvKkKuvVvV
        VVVVVvVuvvvVvvuvVVVVVV
        .....VVVVVVVVVVVV.....
    """),
    ("flower wreath", "up"): (16, 21, """
        V....................V
        kkKVVV..........VVppPV
        kgkvvppPVVwwpVppPvpgpV
        KkKvvpgpvvwgwupgpVPpPV
        VvvuVPpPvVpwpvPpPuvVvV
        VVVVVvVuvvvVvvuvVVVVVV
        .....VVVVVVVVVVVV.....
    """),
    ("flower wreath", "right"): (16, 20, """
        V....................V
        VkkKVV..........ppPkkK
        VkgkvvppPVVwwpVVpgpkgk
        VKkKvvpgpvvwgwuvPpPKkK
        VvvvuVPpPvVpwpvVvvuvVV
        VVVVVvvVuvvvVvvuvVVVVV
        .....VVVVVVVVVVVV.....
    """),
    ("halo", "down"): (4, 22, """
        ........2222........
        ...22222222222222...
        .223333333333333322.
        233..............332
        233..............332
        .224444444444443322.
        ...22222444422222...
        ........2222........
    """),
    ("horned helmet", "down"): (5, 12, """
        .....1............................1.....
        ....11............................11....
        ...1h1............................1H1...
        ..1h1..............................1H1..
        ..1h1..............................1H1..
        .1hh1..............................1HH1.
        .1h1............oooooooo............1H1.
        .1h1..........oowDDwsDDdoo..........1H1.
        .1h1........ooswwDDwsDDsddoo........1H1.
        1hhh1......odswwwDDwsDDsdddDo......1HHH1
        1hhh1.....odsswwwDDwsDDssdddDo.....1HHH1
        .1hhh1...odsswwwwDDwsDDssddddDo...1hHH1.
        .1hhhh111odsswwwwDDwsDDssddddDo111hhHH1.
        .1hhhhhhhodsswwwwDDwsDDssddddDohhhhhHH1.
        ..1hhhhhoDDDDwwwwDDwsDDssddDDDDohhhhH1..
        ..1HHHHHoggyyDDDDDDDDDDDDDDggggoHHHHH1..
        ...1HHHHoggyyyyygggggggggggggggoHHHH1...
        ....111HoGGGGyyygggggggggggGGGGoH111....
        .......11ooooGGGGGGGGGGGGGGGooo11.......
        .............oooooowsooooooo............
        ..................owso..................
        ..................owso..................
        ..................owso..................
        ..................owso..................
        ..................owso..................
        ..................oooo..................
    """),
    ("horned helmet", "up"): (5, 12, """
        .....1............................1.....
        ....11............................11....
        ...1h1............................1H1...
        ..1h1..............................1H1..
        ..1h1..............................1H1..
        .1hh1..............................1HH1.
        .1h1............oooooooo............1H1.
        .1h1..........oowDDwsDDdoo..........1H1.
        .1h1........ooswwDDwsDDsddoo........1H1.
        1hhh1......odswwwDDwsDDsdddDo......1HHH1
        1hhh1.....odsswwwDDwsDDssdddDo.....1HHH1
        .1hhh1...odsswwwwDDwsDDssddddDo...1hHH1.
        .1hhhh111odsswwwwDDwsDDssddddDo111hhHH1.
        .1hhhhhhhodsswwwwDDwsDDssddddDohhhhhHH1.
        ..1hhhhhodsswwwwwDDwsDDssdddddDohhhhH1..
        ..1HHHHHodsswwwwwDDwsDDssdddddDoHHHHH1..
        ...1HHHHodsswwwwwDDwsDDssdddddDoHHHH1...
        ....111HodsswwwwwDDwsDDssdddddDoH111....
        .......1oDDswwwwwDDwsDDssddddDDo1.......
        ........oggDDDDDwDDwsDDsDDDDDggo........
        ........oggyyyyyDDDDDDDDgggggggo........
        ........oGGyyyyygggggggggggggGGo........
        ........oooGGGGGggggggggGGGGGooo........
        ...........oooooooGGGGooooooo...........
        ..................oooo..................
    """),
    ("horned helmet", "right"): (3, 19, """
        ..............11....1...
        .............1H1....1...
        ............1H1....1H1..
        ...........1hH1....1H1..
        ..........1hH1.....1H1..
        .........1hhH1....1HH1..
        .........1hH1....1HH1...
        ........1hhH1...1HHH1...
        ........1hhH1oooHHH1....
        ......o1hhH1sssdooH1....
        ....oos1hhH1ssssddoo....
        ...odsw1hhH1ssssdddDo...
        ..odss1hhhH1sssssdddDo..
        .odssw1hhhhH1ssssddddDo.
        .odssw1hhhhH1ssssddddDo.
        .odssw1hhhhhH1sssddddDo.
        odssww1GGGGGG1sssdddddDo
        oDDDDD1GGGGGG1DDDDDDDDDo
        oggyyyy1GGGG1ggggggggggo
        oggyyyyy1111gggggggggggo
        oGGGGGGGGGGGGGGGGGGGGGGo
        oGGGGGGGGGooooooooooooso
        oswwsssddo............so
        oswwsssddo............so
        oswssssdo.............so
        .owwsssdo.............so
        .ooooooo..............oo
    """),
}  # fmt: skip
