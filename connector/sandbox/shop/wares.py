"""What an article is called and costs: the same on an article, a sales line and a purchase line."""

from dataclasses import dataclass

from connector.sandbox.shop import catalogue
from connector.sandbox.shop.facts import pick

ARTICLES_PER_PRODUCT = 10  # article number = product number * 10 + place in the product


@dataclass(frozen=True, slots=True)
class Ware:
    """An article's unchanging side; prices in cents, VAT in hundredths of a percent."""

    article: int
    name: str
    size: str
    price: int
    vat_code: int
    group: int
    unit: str

    @property
    def vat(self) -> int:
        return catalogue.VAT[self.vat_code]

    @property
    def price_excl(self) -> int:
        return without_vat(self.price, self.vat)

    @property
    def weighed(self) -> bool:
        return self.unit == "kg"


def articles_of(product: int) -> list[int]:
    """The numbers of a product's articles: one to three."""
    return [product * ARTICLES_PER_PRODUCT + place for place in range(1 + product % 3)]


def ware(article: int) -> Ware:
    product, place = divmod(article, ARTICLES_PER_PRODUCT)
    name, price, vat_code, group, unit = pick(catalogue.PRODUCTS, product)
    word, size = catalogue.VARIANTS[place]
    series = product // len(catalogue.PRODUCTS)
    full = " ".join(part for part in (name, word, f"nr. {series}" if series else "") if part)
    return Ware(article, full, size, price + 50 * place, vat_code, group, unit)


def without_vat(amount: int, vat: int) -> int:
    """Cents without VAT, rounded half up as the POS rounds."""
    return (amount * 20_000 + 10_000 + vat) // (2 * (10_000 + vat))
