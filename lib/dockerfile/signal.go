package dockerfile

import (
	"strconv"
	"strings"
)

// signals are Linux's names, without SIG, that docker stop knows.
var signals = strings.Fields("ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV " +
	"STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX")

// validSignal tells whether STOPSIGNAL takes s: a name with or without SIG, RTMIN+n, RTMAX-n, or a number.
func validSignal(s string) bool {
	if n, err := strconv.Atoi(s); err == nil {
		return n > 0 && n < 65
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	for _, known := range signals {
		if name == known {
			return true
		}
	}
	low, plus := strings.CutPrefix(name, "RTMIN+")
	high, minus := strings.CutPrefix(name, "RTMAX-")
	if plus {
		n, err := strconv.Atoi(low)
		return err == nil && n >= 1 && n <= 15
	}
	if minus {
		n, err := strconv.Atoi(high)
		return err == nil && n >= 1 && n <= 14
	}
	return false
}

// signalName returns a signal as kill(1) and Perl know it: a name without SIG, or a number.
func signalName(s string) string {
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if up, ok := strings.CutPrefix(name, "RTMIN"); ok {
		n, _ := strconv.Atoi(up)
		return strconv.Itoa(34 + n)
	}
	if down, ok := strings.CutPrefix(name, "RTMAX"); ok {
		n, _ := strconv.Atoi(down)
		return strconv.Itoa(64 + n)
	}
	return name
}
