"""One paragraph in seventeen languages, written for this course, to compare tokenizers as Figure 3 of Qwen's report.

Bai et al. 2023, "Qwen Technical Report" (arXiv:2309.16609). FIGURE_3 holds what the report measured on a million
documents a language: tokens per document relative to XLM-R's, read off the bars (± 0.01); less is better.
"""

PARAGRAPH = {
    "en": (
        "The moon rises over the river. An old man sits in front of his house and thinks of the road that he walked "
        "as a child. Tomorrow he will write a letter to his daughter, who lives in another city."
    ),
    "zh": "月亮从河上升起。一位老人坐在家门口，想起小时候走过的路。明天他要给住在另一座城市的女儿写一封信。",
    "ja": (
        "月が川の上に昇る。老人が家の前に座り、子供のころ歩いた道のことを考えている。"
        "明日、彼は別の町に住む娘に手紙を書くつもりだ。"
    ),
    "ko": (
        "달이 강 위로 떠오른다. 한 노인이 집 앞에 앉아 어린 시절에 걸었던 길을 생각한다. "
        "내일 그는 다른 도시에 사는 딸에게 편지를 쓸 것이다."
    ),
    "de": (
        "Der Mond geht über dem Fluss auf. Ein alter Mann sitzt vor seinem Haus und denkt an den Weg, den er als Kind "
        "gegangen ist. Morgen wird er seiner Tochter, die in einer anderen Stadt lebt, einen Brief schreiben."
    ),
    "fr": (
        "La lune se lève sur la rivière. Un vieil homme est assis devant sa maison et pense au chemin qu'il prenait "
        "quand il était enfant. Demain, il écrira une lettre à sa fille, qui vit dans une autre ville."
    ),
    "es": (
        "La luna sale sobre el río. Un anciano está sentado delante de su casa y piensa en el camino que recorría "
        "de niño. Mañana escribirá una carta a su hija, que vive en otra ciudad."
    ),
    "pt": (
        "A lua nasce sobre o rio. Um velho está sentado em frente da sua casa e pensa no caminho que fazia em criança. "
        "Amanhã escreverá uma carta à sua filha, que vive noutra cidade."
    ),
    "it": (
        "La luna sorge sul fiume. Un vecchio siede davanti alla sua casa e pensa alla strada che percorreva "
        "da bambino. Domani scriverà una lettera a sua figlia, che vive in un'altra città."
    ),
    "nl": (
        "De maan komt op boven de rivier. Een oude man zit voor zijn huis en denkt aan de weg die hij als kind liep. "
        "Morgen zal hij een brief schrijven aan zijn dochter, die in een andere stad woont."
    ),
    "pl": (
        "Księżyc wschodzi nad rzeką. Stary człowiek siedzi przed swoim domem i myśli o drodze, którą chodził jako "
        "dziecko. Jutro napisze list do swojej córki, która mieszka w innym mieście."
    ),
    "ru": (
        "Луна восходит над рекой. Старик сидит перед своим домом и думает о дороге, по которой он ходил в детстве. "
        "Завтра он напишет письмо своей дочери, которая живёт в другом городе."
    ),
    "tr": (
        "Ay nehrin üzerinde doğuyor. Yaşlı bir adam evinin önünde oturuyor ve çocukken yürüdüğü yolu düşünüyor. "
        "Yarın başka bir şehirde yaşayan kızına bir mektup yazacak."
    ),
    "vi": (
        "Mặt trăng mọc trên dòng sông. Một ông già ngồi trước nhà và nghĩ về con đường mà ông đã đi khi còn nhỏ. "
        "Ngày mai ông sẽ viết một lá thư cho con gái đang sống ở một thành phố khác."
    ),
    "id": (
        "Bulan terbit di atas sungai. Seorang lelaki tua duduk di depan rumahnya dan memikirkan jalan yang dilaluinya "
        "ketika masih kecil. Besok ia akan menulis surat kepada putrinya yang tinggal di kota lain."
    ),
    "ar": (
        "يطلع القمر فوق النهر. يجلس رجل عجوز أمام بيته ويفكر في الطريق الذي كان يسلكه وهو طفل. "
        "غدا سيكتب رسالة إلى ابنته التي تعيش في مدينة أخرى."
    ),
    "th": (
        "ดวงจันทร์ขึ้นเหนือแม่น้ำ ชายชราคนหนึ่งนั่งอยู่หน้าบ้านและคิดถึงถนนที่เขาเคยเดินเมื่อยังเป็นเด็ก "
        "พรุ่งนี้เขาจะเขียนจดหมายถึงลูกสาวที่อาศัยอยู่ในเมืองอื่น"
    ),
}  # fmt: skip
FIGURE_3 = {
    "Qwen": {
        "th": 2.03, "ar": 1.26, "ko": 1.26, "vi": 1.13, "zh": 0.96, "ja": 1.17, "tr": 1.40, "id": 1.44, "pl": 1.34,
        "ru": 1.35, "nl": 1.26, "pt": 1.20, "it": 1.24, "de": 1.22, "es": 1.16, "fr": 1.10, "en": 0.93,
    },
    "LLaMA-7B": {
        "th": 3.69, "ar": 2.90, "ko": 2.80, "vi": 2.43, "zh": 2.15, "ja": 2.08, "tr": 1.98, "id": 1.86, "pl": 1.49,
        "ru": 1.48, "nl": 1.36, "pt": 1.35, "it": 1.31, "de": 1.30, "es": 1.29, "fr": 1.21, "en": 1.07,
    },
}  # fmt: skip
