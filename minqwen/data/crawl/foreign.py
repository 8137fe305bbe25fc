"""Planted pages in other languages than English and Chinese: seven sentences in each of eight languages.

They were written for this course, and say roughly the same in all: notices of a ferry and of a small museum.
"""

import random

SENTENCES = {
    "de": (
        "Die Fähre verlässt den nördlichen Hafen jeden Morgen um {n} Uhr und kehrt am Abend zurück.",
        "Fahrgäste mit Fahrrädern warten am zweiten Tor, wo ein Angestellter sie zweimal zählt.",
        "Im Winter fällt das letzte Schiff aus, sobald das Eis den alten Leuchtturm erreicht.",
        "Das kleine Museum am Markt zeigt {n} Karten, die Seeleute aus fernen Ländern mitgebracht haben.",
        "Niemand weiß genau, wer das Bild im oberen Saal gemalt hat, aber alle Kinder mögen es.",
        "Der Eintritt ist am ersten Sonntag des Monats frei, sonst kostet er {n} Münzen.",
        "Wer länger bleiben möchte, findet hinter der Kirche ein einfaches Gasthaus mit gutem Brot.",
    ),
    "fr": (
        "Le ferry quitte le port du nord chaque matin à {n} heures et revient avant la nuit.",
        "Les passagers à vélo attendent à la deuxième porte, où un employé les compte deux fois.",
        "En hiver, le dernier bateau est annulé dès que la glace atteint le vieux phare.",
        "Le petit musée de la place montre {n} cartes que des marins ont rapportées de pays lointains.",
        "Personne ne sait vraiment qui a peint le tableau de la grande salle, mais les enfants l'adorent.",
        "L'entrée est gratuite le premier dimanche du mois, sinon elle coûte {n} pièces.",
        "Ceux qui veulent rester plus longtemps trouvent derrière l'église une auberge simple et du bon pain.",
    ),
    "es": (
        "El transbordador sale del puerto del norte cada mañana a las {n} y vuelve antes de la noche.",
        "Los pasajeros con bicicleta esperan en la segunda puerta, donde un empleado los cuenta dos veces.",
        "En invierno se cancela el último barco en cuanto el hielo llega al viejo faro.",
        "El pequeño museo de la plaza muestra {n} mapas que los marineros trajeron de países lejanos.",
        "Nadie sabe con certeza quién pintó el cuadro de la sala grande, pero a los niños les gusta.",
        "La entrada es gratuita el primer domingo del mes, los demás días cuesta {n} monedas.",
        "Quien quiera quedarse más tiempo encontrará detrás de la iglesia una posada sencilla con buen pan.",
    ),
    "it": (
        "Il traghetto lascia il porto del nord ogni mattina alle {n} e torna prima di notte.",
        "I passeggeri con la bicicletta aspettano alla seconda porta, dove un impiegato li conta due volte.",
        "D'inverno l'ultima nave viene cancellata appena il ghiaccio raggiunge il vecchio faro.",
        "Il piccolo museo della piazza mostra {n} carte che i marinai hanno portato da paesi lontani.",
        "Nessuno sa davvero chi abbia dipinto il quadro della sala grande, ma ai bambini piace molto.",
        "L'ingresso è gratuito la prima domenica del mese, altrimenti costa {n} monete.",
        "Chi vuole restare più a lungo trova dietro la chiesa una locanda semplice con un buon pane.",
    ),
    "nl": (
        "De veerboot vertrekt elke ochtend om {n} uur uit de noordelijke haven en komt voor de nacht terug.",
        "Passagiers met een fiets wachten bij de tweede poort, waar een bediende hen twee keer telt.",
        "In de winter vervalt de laatste boot zodra het ijs de oude vuurtoren bereikt.",
        "Het kleine museum aan het plein toont {n} kaarten die zeelieden uit verre landen hebben meegebracht.",
        "Niemand weet precies wie het schilderij in de grote zaal heeft gemaakt, maar kinderen vinden het mooi.",
        "De toegang is gratis op de eerste zondag van de maand, anders kost hij {n} munten.",
        "Wie langer wil blijven, vindt achter de kerk een eenvoudige herberg met goed brood.",
    ),
    "ru": (
        "Паром уходит из северной гавани каждое утро в {n} часов и возвращается до наступления ночи.",
        "Пассажиры с велосипедами ждут у вторых ворот, где служащий считает их два раза.",
        "Зимой последний рейс отменяют, как только лёд доходит до старого маяка.",
        "Маленький музей на площади показывает {n} карт, которые моряки привезли из далёких стран.",
        "Никто точно не знает, кто написал картину в большом зале, но детям она очень нравится.",
        "В первое воскресенье месяца вход бесплатный, в другие дни он стоит {n} монет.",
        "Кто хочет остаться подольше, найдёт за церковью простую гостиницу, где пекут хороший хлеб.",
    ),
    "ja": (
        "フェリーは毎朝{n}時に北の港を出て、夜になる前に戻ってきます。",
        "自転車を持っている乗客は二番目の門で待ち、係の人が二回数えます。",
        "冬になると、氷が古い灯台まで届いた時点で最後の便は運休になります。",
        "広場の小さな博物館では、船乗りたちが遠い国から持ち帰った{n}枚の地図を見ることができます。",
        "大きな部屋の絵を誰が描いたのか誰も知りませんが、子どもたちはとても気に入っています。",
        "毎月最初の日曜日は入場が無料で、ほかの日は{n}枚の硬貨がかかります。",
        "もっと長く泊まりたい人は、教会の裏に素朴でパンのおいしい宿を見つけるでしょう。",
    ),
    "ko": (
        "연락선은 매일 아침 {n}시에 북쪽 항구를 떠나서 밤이 되기 전에 돌아옵니다.",
        "자전거를 가진 승객은 두 번째 문에서 기다리고, 직원이 그들을 두 번 셉니다.",
        "겨울에는 얼음이 오래된 등대에 닿으면 마지막 배가 취소됩니다.",
        "광장의 작은 박물관에는 선원들이 먼 나라에서 가져온 지도 {n}장이 있습니다.",
        "큰 방의 그림을 누가 그렸는지 아무도 모르지만 아이들은 그 그림을 좋아합니다.",
        "매달 첫 번째 일요일에는 입장이 무료이고, 다른 날에는 동전 {n}개를 냅니다.",
        "더 오래 머물고 싶은 사람은 교회 뒤에서 빵이 맛있는 소박한 여관을 찾을 수 있습니다.",
    ),
}
CODECS = {"de": "cp1252", "fr": "cp1252", "es": "cp1252", "it": "cp1252", "nl": "cp1252", "ru": "koi8-r", "ja": "shift_jis", "ko": "euc-kr"}  # fmt: skip  # noqa: E501


def paragraphs(rng: random.Random, language: str) -> list[str]:
    """Six to seven sentences in a new order, in two paragraphs."""
    chosen = rng.sample(SENTENCES[language], k=rng.randrange(6, 8))
    said = [sentence.format(n=rng.randrange(2, 900)) for sentence in chosen]
    gap = "" if language == "ja" else " "
    return [gap.join(said[:3]), gap.join(said[3:])]
