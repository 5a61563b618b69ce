"""The wire shape of a card as tables: member names in their order, and made-up words to fill it."""

# ruff: noqa: SIM905 - word lists stay readable as text

from __future__ import annotations

PLAYER_FIELDS = """
traitCoverBallIsActive traitBigHitterIsActive traitClutchIsActive traitDLBullRushIsActive
traitDLSwimIsActive traitDLSpinIsActive traitFightForYardsIsActive traitForcePassIsActive
traitHighMotorIsActive traitHighPointCatchIsActive isCaptain isImpactPlayer
traitFeetInboundsIsActive archetypeDescription archetypeIconImage mutArchetypeId archetypeTitle
traitLBStyleIsActive overrideAbilities positionOvrRatings acceleration age agility awareness
ballCarrierVision breakTackle blockShedding breakSack carrying playerCommentary college catching
deepRouteRun dataVersion changeOfDirection assetName playerGender finesseMoves firstname
flagProBowl playerId handedness height homeState homeTown icon longSnap injury jerseyNumber
jumping kickAccuracy kickPower kickReturn birthDate leadBlock catchInTraffic draftTeam hitPower
lastHoldOutYear impactBlocking jukeMove manCoverage lastname press performanceLevel powerMoves
potential playRecognition pursuit release stiffArm spectacularCatch spinMove schoolYear trucking
playerType zoneCoverage mediumRouteRun overallRating traitDropOpenPassIsActive passBlockFinesse
passBlock passBlockPower playAction position previousTeamId qBStyle runBlockFinesse runBlock
runBlockPower runningStyle speed stamina stance strength style portraitId throwAccuracyDeep
tackle throwAccuracyMedium throwAccuracyShort reserved1 toughness throwAccuracy throwPower
prototypeId throwOnTheRun playerTraits throwUnderPressure weight confidence yearsPro
traitPlayBallIsActive traitPenaltyIsActive traitPossessionCatchIsActive showPortraitOnCard
shortRouteRun teamId traitSensePressureIsActive traitBigHitter traitDLBullRush traitCoverBall
traitClutch traitPossessionCatch traitDropOpenPass traitDLSpin traitFeetInbounds traitForcePass
traitFightForYards traitHighMotor traitPenalty traitHighPointCatch traitPlayBall traitStripBall
traitLBStyle traitSensePressure traitDLSwim traitThrowaway traitQBStyle traitTightSpiral
traitYacCatch traitStripBallIsActive traitThrowawayIsActive traitQBStyleIsActive
traitTightSpiralIsActive traitYacCatchIsActive
""".split()
"""Members of ``cardData.value``, in wire order. What `player_values` does not name is a rating,
or a flag where the name starts with ``trait``."""

LABELS = """
FRONT_BOOST_COLOR FRONT_CORNER_IMAGE FRONT_BACKGROUND_IMAGE BACK_BACKGROUND_IMAGE
BACK_MAIN_IMAGE FRONT_OVERLAY_IMAGE BACK_CORNER_IMAGE FRONT_FOREGROUND_IMAGE EDITION_LABEL
BACK_TITLE BACK_SUBTITLE BACK_CENTER_VALUE SPINE_FOOTER_VALUE EFFECT_VALUE COIN_VALUE
EFFECT_LABEL ARCHETYPE_ICON_IMAGE MAIN_TITLE FRONT_FOOTER_LABEL1 CARD_TYPE_SPECIFIC
CARD_TYPE_LABEL SPINE_NAME PLAYERS_INC SPINE_FOOTER_LABEL SPINE_SPECIFIC BACK_CENTER_LABEL ATTR1
ATTR1_DESC ATTR1_ENUM ATTR2 ATTR2_DESC ATTR2_ENUM ATTR3 ATTR3_DESC ATTR3_ENUM ATTR4 ATTR4_DESC
ATTR4_ENUM ATTR5 ATTR5_DESC ATTR5_ENUM ATTR6 ATTR6_DESC ATTR6_ENUM ATTR7 ATTR7_DESC ATTR7_ENUM
ATTR8 ATTR8_DESC ATTR8_ENUM CARD_STATE DISCARD_VALUE NFL_TEAM_SHORTNAME
""".split()
"""Attributes of ``uIDataList`` without their ``UIATTRIBUTE_``, in wire order."""

SHOWN = (
    ("speed", "Speed", 2),
    ("acceleration", "Acceleration", 3),
    ("strength", "Strength", 0),
    ("tackle", "Tackle", 11),
    ("playRecognition", "Play Recognition", 31),
    ("blockShedding", "Block Shedding", 29),
    ("hitPower", "Hit Power", 42),
    ("zoneCoverage", "Zone Coverage", 33),
)
"""The eight ratings on a card's front: member, label, label's number."""

TRAIT_TEXTS = {
    "traitCoverBall": ("COVERBALL_NEVER", "COVERBALL_ALWAYS", "COVERBALL_ON_BIG_HIT"),
    "traitForcePass": ("FORCEPASSES_CONSERVATIVE", "FORCEPASSES_IDEAL"),
    "traitPenalty": ("PENALTY_UNDISCIPLINED", "PENALTY_DISCIPLINED"),
    "traitPlayBall": ("PLAYSBALL_CONSERVATIVE", "PLAYSBALL_BALANCED", "PLAYSBALL_AGGRESSIVE"),
    "traitLBStyle": ("LBSTYLE_PASSRUSH", "LBSTYLE_COVERLB", "LBSTYLE_BALANCED"),
    "traitSensePressure": ("SENSEPRESSURE_PARANOID", "SENSEPRESSURE_IDEAL"),
    "traitQBStyle": ("QBSTYLETRAIT_POCKET", "QBSTYLETRAIT_SCRAMBLING"),
}

POSITIONS = "QB HB FB WR TE LT LG C RG RT LE RE DT LOLB MLB ROLB CB FS SS K P".split()
ARCHETYPES = ("Field General", "Power", "Run Stopper", "Deep Threat", "Agile", "Balanced", "Zone")
TEAMS = """
CHI CIN BUF DEN CLE TB ARI LAC KC IND DAL MIA PHI ATL SF NYG JAX NYJ DET GB CAR NE LV LAR BAL WAS
NO SEA PIT TEN MIN HOU
""".split()
PROGRAMS = (
    *("Core Bronze", "Core Silver", "Core Gold", "Harvest Crew", "Ice Breakers", "Night Shift"),
    *("Gridiron Guardians", "Summit Club", "Rivalry Week", "Thunder Squad", "Old School"),
    *("First Light", "Kickoff Kings", "Neon Nights", "Captains' Row", "Red Zone Heroes"),
)
FIRST_NAMES = """
Abel Bram Caleb Dario Ezra Felix Gideon Hollis Ivo Jonah Kellan Lorenzo Milo Nico Orson Percy
Quade Rufus Silas Tobin Ulric Vance Wendell Xander Yusuf Zeke D'Aron Ja'Vel José André T.J.
""".split()
LAST_NAMES = """
Abernathy Brightwater Calloway Dunmore Eastlake Fairbrook Greystone Hartwell Ironwood Jessup
Kingsmoor Larkspur Marlowe Northgate Oakhurst Pemberton Quillfeather Ravenhill Stonebridge
Thornbury Underhill Vanterpool Westerfield Yarborough Zeller O'Quill St.Claire Núñez
Bexley-Moore Åkerlund
""".split()
TOWNS = "Millbrook Fairview Clearwater Lakeport Red-Oak Dry-Fork Springdale Cedarville".split()
