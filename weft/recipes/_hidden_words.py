"""English words that a picture can determine, and exchangeable Chinese words of the same kinds."""

COLOURS = (
    "black white red blue green yellow orange pink purple brown gray grey golden tan blond blonde"
)
PEOPLE = (
    "man men woman women boy boys girl girls child children kid kids baby babies toddler lady ladies guy guys "
    "person people male female males females player players he she his her him himself herself hers mother father "
    "son daughter brother sister"
)
ANIMALS = "dog dogs puppy puppies cat cats horse horses bird birds cow cows sheep duck ducks animal animals greyhound greyhounds"
VEHICLES = "bike bikes bicycle bicycles motorcycle motorcycles motorbike car cars truck trucks bus boat boats train skateboard surfboard snowboard scooter canoe kayak"

ENGLISH = tuple(" ".join((COLOURS, PEOPLE, ANIMALS, VEHICLES)).split())
"""Words of a caption that are hidden."""

CHINESE = {
    "colours": "黑色|白色|红色|蓝色|绿色|黄色|橙色|粉红色|紫色|棕色|灰色",
    "people": "男人|女人|男孩|女孩|男子|女子",
    "animals": "狗|猫|鸟",
    "vehicles": "自行车|摩托车|汽车|卡车",
}
"""Kind -> words that can be exchanged for each other. They take the same measure words, which would otherwise give the
word away."""
