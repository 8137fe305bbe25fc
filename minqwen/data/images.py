"""A small bilingual dictionary: what the poems of the Tang look at, in English and Chinese.

A list of our own; every character stands in the shipped poems (`data.corpus`) many times.
"""

_PAIRS = """
mountain 山 water 水 wind 风 moon 月 flower 花 cloud 云 rain 雨 snow 雪 spring 春 autumn 秋 river 江 sky 天
sun 日 night 夜 pine 松 bamboo 竹 willow 柳 bird 鸟 star 星 smoke 烟 frost 霜 dew 露 stream 溪 peak 峰
sea 海 grass 草 tree 树 leaf 叶 stone 石 road 路 city 城 gate 门 house 屋 window 窗 lamp 灯 wine 酒
song 歌 dream 梦 heart 心 face 面 hand 手 horse 马 boat 舟 bridge 桥 village 村 garden 园 tower 楼 temple 寺
friend 友 king 王 book 书 sword 剑 gold 金 jade 玉 silk 丝 robe 衣
"""
_WORDS = _PAIRS.split()
IMAGES = {english: chinese for english, chinese in zip(_WORDS[::2], _WORDS[1::2])}
