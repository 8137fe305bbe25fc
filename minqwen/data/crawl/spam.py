"""Planted spam: advertisements by families, and texts that somebody copied and filled with them.

Each family has its own wares and its own sentences, and belongs to one side of the split, so that a classifier is
tested on kinds of spam that it has never seen. All sentences were written for this course.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One kind of advertisement. Sentences may hold {ware}, {place}, {number} and {percent}."""

    name: str
    language: str
    split: str
    wares: tuple[str, ...]
    sentences: tuple[str, ...]


PLACES = {
    "en": ("Leeds", "Austin", "Perth", "Dublin", "Toronto", "Cape Town", "Bristol", "Denver", "Oslo", "Madrid"),
    "zh": ("北京", "上海", "深圳", "广州", "成都", "杭州", "武汉", "西安", "南京", "重庆"),
}

FAMILIES = (
    Family(
        "pills",
        "en",
        "train",
        ("vitamin capsules", "sleep tablets", "pain relief gel", "hair serum", "joint cream", "energy drops"),
        (
            "Buy {ware} online without a prescription and save {percent} percent today.",
            "Our {ware} ship from {place} in discreet packaging, {number} happy customers cannot be wrong.",
            "Click here for cheap {ware}, best price guaranteed, limited offer.",
            "Order {number} packs of {ware} now and get free delivery to {place}.",
            "Doctors in {place} hate this one trick with {ware}!",
            "100% safe {ware}, no side effects, money back within {number} days.",
            "Add {ware} to your cart before the sale ends, only {number} left in stock.",
        ),
    ),
    Family(
        "casino",
        "en",
        "train",
        ("slots", "blackjack", "poker rooms", "free spins", "roulette", "sports bets"),
        (
            "Play {ware} with real money and claim your {percent}% welcome bonus now.",
            "Sign up in {number} seconds, deposit, and win at {ware} tonight!",
            "The hottest {ware} in {place}, instant payouts, no deposit required.",
            "Register today: {number} free games of {ware} for every new player.",
            "Jackpot winners from {place} trust our {ware}, join now and start winning.",
            "Best odds on {ware}, {percent} percent cash back every weekend, click to play.",
        ),
    ),
    Family(
        "links",
        "en",
        "train",
        ("web design", "backlinks", "cheap hosting", "logo design", "seo packages", "email lists"),
        (
            "{ware} {place} {ware} cheap, best {ware} company {place}, top {ware} {number}.",
            "Looking for {ware} in {place}? Our agency is the number {number} choice, call now.",
            "Get {number} visitors a day with our {ware}, guaranteed first page ranking.",
            "affordable {ware}, professional {ware}, {ware} near me, {ware} {place} reviews",
            "Boost your business with {ware}: {percent}% off all plans, order online today.",
            "Free quote for {ware}, contact us today, visit our website for more {ware}.",
        ),
    ),
    Family(
        "coins",
        "en",
        "test",
        ("digital coins", "trading signals", "mining contracts", "token presales", "staking pools", "forex robots"),
        (
            "Double your savings with {ware}: our members earn {percent}% a week, guaranteed.",
            "Invest {number} dollars in {ware} now, withdraw your profit any time.",
            "Join {number} investors from {place} who quit their jobs thanks to {ware}.",
            "Do not miss this opportunity, {ware} will explode, sign up today for a free bonus.",
            "Click the link to open your account, our experts in {place} trade {ware} for you.",
            "Risk free {ware} with instant payouts, {percent} percent welcome bonus for new members.",
        ),
    ),
    Family(
        "watches",
        "en",
        "test",
        ("replica watches", "designer bags", "luxury sunglasses", "brand sneakers", "silver rings", "leather wallets"),
        (
            "Top quality {ware} at {percent}% off retail, free shipping to {place}.",
            "Shop our outlet store for {ware}, buy {number} get one free, order now!",
            "Cheap {ware} online, best price, fast delivery, secure payment, visit the shop.",
            "Our factory in {place} makes {ware} that nobody can tell from the original.",
            "Clearance sale: {number} pairs of {ware} left, add to cart today.",
            "Customers in {place} love our {ware}, {number} five star reviews, click to buy.",
        ),
    ),
    Family(
        "loans_zh",
        "zh",
        "train",
        ("信用贷款", "房屋抵押贷款", "小额贷款", "信用卡代还", "汽车贷款", "应急借款"),
        (
            "{place}{ware}，无需抵押，当天放款，最高可贷{number}万，点击立即申请！",
            "急用钱？办理{ware}只要{number}分钟，利息低至{percent}折，电话咨询。",
            "专业{ware}公司，{place}地区上门服务，不成功不收费。",
            "加微信免费咨询{ware}，额度高，放款快，黑户也能办。",
            "本月办理{ware}优惠{percent}元，名额仅剩{number}个，马上联系客服。",
            "{ware}哪家好？{place}{ware}排名第一，{number}位客户的选择。",
        ),
    ),
    Family(
        "invoices_zh",
        "zh",
        "train",
        ("增值税发票", "学历证书", "资格证书", "公司注册", "代理记账", "商标转让"),
        (
            "代办{place}{ware}，价格优惠，真实可查，量大从优，欢迎来电。",
            "长期提供各类{ware}，{number}小时出证，先办事后付款，加QQ详谈。",
            "{ware}代理，{place}当面交易，安全保密，诚信经营{number}年。",
            "想快速拿到{ware}？找我们，{percent}%通过率，点击在线客服。",
            "最新{ware}办理流程，免费咨询，{place}最低价。",
        ),
    ),
    Family(
        "jobs_zh",
        "zh",
        "test",
        ("网上兼职", "刷单任务", "打字员", "手工活外发", "点赞任务", "游戏代练"),
        (
            "招聘{ware}，日赚{number}元，在家就能做，工资日结，点击报名！",
            "{place}宝妈学生都在做的{ware}，零投资，加微信领取任务。",
            "名额有限，{ware}火热招募中，{number}分钟上手，当天提现。",
            "免费加入{ware}平台，新人立即送{percent}元红包，马上联系客服。",
            "正规{ware}，无需押金，月入{number}不是梦，欢迎来电咨询。",
        ),
    ),
    Family(
        "slimming_zh",
        "zh",
        "test",
        ("减肥茶", "瘦身胶囊", "丰胸霜", "祛斑面膜", "增高鞋垫", "生发液"),
        (
            "{ware}全网最低价，{number}天见效，无效全额退款，立即抢购！",
            "{place}明星都在用的{ware}，纯天然无副作用，买{number}送一。",
            "点击进入官网购买{ware}，优惠{percent}元，货到付款，全国包邮。",
            "祖传秘方{ware}，老客户介绍优惠更多，加微信咨询老师。",
            "今日下单{ware}，前{number}名免费赠送体验装，售完为止。",
        ),
    ),
)


def advert(rng: random.Random, family: Family) -> str:
    """One sentence of the family, its blanks filled."""
    words = {
        "ware": rng.choice(family.wares),
        "place": rng.choice(PLACES[family.language]),
        "number": rng.randrange(2, 5000),
        "percent": rng.randrange(10, 99),
    }
    return rng.choice(family.sentences).format(**words)


def adverts(rng: random.Random, family: Family, paragraphs: int) -> list[str]:
    """Paragraphs of three to five advertisements."""
    gap = " " if family.language == "en" else ""
    return [gap.join(advert(rng, family) for _ in range(rng.randrange(3, 6))) for _ in range(paragraphs)]


def scraped(rng: random.Random, family: Family, paragraphs: list[str]) -> list[str]:
    """A copied text in which one or two advertisements follow each paragraph: the words of a good page, and spam."""
    gap = " " if family.language == "en" else ""
    return [
        gap.join([paragraph, *(advert(rng, family) for _ in range(rng.randrange(1, 3)))]) for paragraph in paragraphs
    ]
