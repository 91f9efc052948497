"The `asp_ft` command as `python -m asp_ft`."
from asp_ft.cli import main

if __name__ == '__main__': main()
