"The former name of `asp_ft.decode`; it goes with the next version."
from asp_ft.core import renamed

renamed(__name__, 'asp_ft.decode')
