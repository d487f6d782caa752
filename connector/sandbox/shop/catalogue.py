"""What the simulated shop sells and who it knows: tables of plain data, no behaviour."""

GROUPS = (
    "Brood",
    "Banket & gebak",
    "Ontbijt",
    "Lunch",
    "Borrel",
    "Voorgerechten",
    "Hoofdgerechten",
    "Nagerechten",
    "Warme dranken",
    "Frisdrank",
    "Bier en wijn",
    "Webshop: cadeaupakketten",
)

# name, price in cents with VAT, VAT code, group (place in GROUPS), unit
PRODUCTS = (
    ("Volkoren heel", 345, 2, 0, "stuk"),
    ("Witbrood half", 195, 2, 0, "stuk"),
    ("Speltbrood", 425, 2, 0, "stuk"),
    ("Zuurdesem desem", 525, 2, 0, "stuk"),
    ("Krentenbol", 95, 2, 0, "stuk"),
    ("Croissant", 165, 2, 0, "stuk"),
    ("Appelflap", 245, 2, 1, "stuk"),
    ("Tompouce", 275, 2, 1, "stuk"),
    ("Slagroomtaart 8 pers.", 2495, 2, 1, "stuk"),
    ("Bossche bol", 395, 2, 1, "stuk"),
    ("Gevulde speculaas", 1250, 2, 1, "kg"),
    ("Crème brûlée", 795, 2, 7, "portie"),
    ("Boerenyoghurt met granola", 695, 2, 2, "portie"),
    ("Ontbijtplank voor twee", 2750, 2, 2, "portie"),
    ("Uitsmijter ham/kaas", 1095, 2, 3, "portie"),
    ("Broodje kroket (2 st.)", 985, 2, 3, "portie"),
    ("Tosti oude kaas", 675, 2, 3, "portie"),
    ("Club sandwich", 1395, 2, 3, "portie"),
    ("Salade geitenkaas", 1475, 2, 3, "portie"),
    ("Bitterballen 8 st.", 850, 2, 4, "portie"),
    ("Kaasplankje 'Hollands Glorie'", 1195, 2, 4, "portie"),
    ("Nacho's met guacamole", 1050, 2, 4, "portie"),
    ("Carpaccio", 1350, 2, 5, "portie"),
    ("Mosterdsoep", 750, 2, 5, "portie"),
    ("Garnalenkroketjes", 1250, 2, 5, "portie"),
    ("Stamppot boerenkool & rookworst", 1695, 2, 6, "portie"),
    ("Zalmfilet met hollandaise", 2350, 2, 6, "portie"),
    ("Biefstuk 200 g", 2495, 2, 6, "portie"),
    ("Saté van kippendij", 1895, 2, 6, "portie"),
    ("Vegetarische lasagne", 1750, 2, 6, "portie"),
    ("Dame blanche", 825, 2, 7, "portie"),
    ("Kaasplateau", 1195, 2, 7, "portie"),
    ("Koffie", 310, 2, 8, "kop"),
    ("Cappuccino", 345, 2, 8, "kop"),
    ("Verse muntthee", 375, 2, 8, "glas"),
    ("Warme chocolademelk", 395, 2, 8, "kop"),
    ("Cola", 315, 2, 9, "glas"),
    ("Appelsap troebel", 335, 2, 9, "glas"),
    ("Bronwater 0,75 l", 595, 2, 9, "fles"),
    ("Jus d'orange", 425, 2, 9, "glas"),
    ("Pils vaasje", 345, 1, 10, "glas"),
    ("Weizen 0,5 l", 695, 1, 10, "glas"),
    ("Huiswijn wit", 525, 1, 10, "glas"),
    ("Huiswijn rood (fles)", 2650, 1, 10, "fles"),
    ("Jenever <jonge>", 425, 1, 10, "glas"),
    ('Cadeaupakket "Bakker\'s trots"', 3495, 1, 11, "stuk"),
    ("Borrelbox groot", 4950, 1, 11, "stuk"),
    ("Cadeaubon", 2500, 3, 11, "stuk"),
)

# code -> hundredths of a percent
VAT = {1: 2100, 2: 900, 3: 0}

VARIANTS = (("", ""), ("groot", "L"), ("klein", "S"))

FIRST_NAMES = (
    "Sanne",
    "Daan",
    "Fleur",
    "Jeroen",
    "Anouk",
    "Bram",
    "Zoë",
    "Mohammed",
    "Ilse",
    "Ruben",
    "Noor",
    "Thijs",
    "Chloé",
    "Youssef",
)
LAST_NAMES = (
    "de Vries",
    "Jansen",
    "van den Berg",
    "Bakker",
    "el Amrani",
    "Visser",
    "Smit",
    "de Boer",
    "Yılmaz",
    "van 't Hof",
    "Mulder",
    "Groot-Koerkamp",
    "Dekker",
)
COMPANIES = ("", "", "", "Bloemist 't Hoekje", "Kantoor & Co", "Stichting De Brug", "Garage Van Dijk B.V.", "Café <De Zwaan>")
STREETS = (
    "Dorpsstraat",
    "Kerkweg",
    "Lange Nieuwstraat",
    "Prins Hendrikkade",
    "Stationsplein",
    "Oude Gracht",
    "Molenweg",
    "'s-Gravelandseweg",
)
CITIES = (
    ("1012 AB", "Amsterdam"),
    ("3511 CE", "Utrecht"),
    ("5211 DA", "'s-Hertogenbosch"),
    ("6511 LM", "Nijmegen"),
    ("8911 BN", "Leeuwarden"),
)
REMARKS = (
    "",
    "",
    "graag bellen voor bezorging",
    "zonder noten & pinda's",
    "achterom; bel is stuk",
    "tafel bij het raam\ntweede regel",
    "50% korting <actie>",
)
SUPPLIERS = ("Meelfabriek De Molen", "Zuivelhoeve Groothandel", "Slagerij Van Loon", "Drankengroothandel Noord")
EVENTS = ("Bruiloft", "Personeelsfeest", "Verjaardag", "Vergadering met lunch", "Proeverij", "High tea")
PLACES = ("Grote zaal", "Terras", "Serre", "")

# method, description, type, what it books on, share in a hundred
PAYMENTS = (
    ("PIN", "Pinnen", "PAYMENT-METHOD-TYPE-EFT", 1230, 55),
    ("IDEAL", "iDEAL", "PAYMENT-METHOD-TYPE-PAYMENT", 1240, 25),
    ("CASH", "Contant", "PAYMENT-METHOD-TYPE-PAYMENT", 1000, 15),
    ("ACCOUNT", "Op rekening", "PAYMENT-METHOD-TYPE-SUSPENSE", 1300, 5),
)

DELIVERY_METHODS = (
    ("PICKUP", "Afhalen in de winkel", "Afhalen", True),
    ("DELIVERY", "Bezorgen aan huis", "Bezorgen", True),
    ("EAT-HERE", "Hier opeten", "Hier", True),
    ("POST", "Per post (cadeaupakketten)", "Post", False),
)

# number, description, numbers it depends on, may be cancelled, may be processed
ORDER_CATEGORIES = (
    (1, "Webshop", (), True, True),
    (2, "Catering", (1,), True, False),
    (3, "Zakelijk", (1, 2), False, True),
)

# order type, share in a hundred; the last two are hidden from readers that do not ask for them
ORDER_TYPES = (
    ("ORDER-TYPE-EXTERNAL-SALES-ORDER", 45),
    ("ORDER-TYPE-SALES-ORDER", 30),
    ("ORDER-TYPE-REPEAT-SALES-ORDER", 5),
    ("ORDER-TYPE-TABLE-ORDER", 16),
    ("ORDER-TYPE-CAFETERIA-ORDER", 4),
)
HIDDEN_ORDER_TYPES = frozenset({"ORDER-TYPE-TABLE-ORDER", "ORDER-TYPE-CAFETERIA-ORDER"})
