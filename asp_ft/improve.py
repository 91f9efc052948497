"The former name of `asp_ft.generate`; it goes with the next version."
from asp_ft.core import renamed

renamed(__name__, 'asp_ft.generate')
