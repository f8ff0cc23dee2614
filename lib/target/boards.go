package target

import "toaster.do/lib/i18n"

// board is what arm-sdk's name of a board stands for.
type board struct {
	arch  string
	title string // for people
	group i18n.Key
}

const (
	singleBoard = "Single-board computer: Raspberry Pi and others, on a memory card"
	phone       = "Phone or tablet: on a memory card"
	otherARM    = "ARM laptop or console"
)

// boards are those of arm-sdk at the newest commit, each loaded and its architecture read there.
var boards = map[string]board{
	"raspi1":               {"armel", "Raspberry Pi 1, Zero", singleBoard},
	"raspi2":               {"armhf", "Raspberry Pi 2, 3 (32 bit)", singleBoard},
	"raspi3":               {"arm64", "Raspberry Pi 3", singleBoard},
	"raspi4":               {"arm64", "Raspberry Pi 4", singleBoard},
	"beagleboneblack":      {"armhf", "BeagleBone Black", singleBoard},
	"sunxi":                {"armhf", "Allwinner boards: Olimex, Banana Pi, Cubieboard, Orange Pi", singleBoard},
	"odroidxu":             {"armhf", "Odroid XU", singleBoard},
	"odroidxu4":            {"armhf", "Odroid XU4", singleBoard},
	"rock64":               {"arm64", "Rock64", singleBoard},
	"turbox-twister":       {"armhf", "TurboX Twister", phone},
	"bionic":               {"armhf", "Motorola Droid Bionic", phone},
	"droid3":               {"armhf", "Motorola Droid 3", phone},
	"droid4":               {"armhf", "Motorola Droid 4", phone},
	"n9":                   {"armhf", "Nokia N9", phone},
	"n900":                 {"armhf", "Nokia N900", phone},
	"n950":                 {"armhf", "Nokia N950", phone},
	"pinephone":            {"arm64", "PinePhone", phone},
	"pinephone-dontbeevil": {"arm64", "PinePhone, Don't be evil kit", phone},
	"pinetab":              {"arm64", "PineTab", phone},
	"pocophone-f1":         {"arm64", "Xiaomi Pocophone F1", phone},
	"chromeacer":           {"armhf", "Acer Chromebook", otherARM},
	"chromeveyron":         {"armhf", "Veyron Chromebooks", otherARM},
	"ouya":                 {"armhf", "Ouya", otherARM},
}
