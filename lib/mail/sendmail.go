package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendmailTime is how long a sendmail may take for one email.
var sendmailTime = 10 * time.Second

// noUser is sendmail's exit status for a recipient that doesn't exist (sysexits.h: EX_NOUSER).
const noUser = 67

// bySendmail hands an email to a program that takes sendmail's options. Its errors are sent to the configured sender,
// whoever runs this. One that takes too long is ended, with its children.
func bySendmail(ctx context.Context, program string, m *gomail.Msg) error {
	sender, err := m.GetSender(false)
	if err != nil {
		return err
	}
	recipients, err := m.GetRecipients()
	if err != nil {
		return err
	}
	arguments := []string{"-i", "-f", strings.Trim(sender, "<>"), "--"} // -i: a line with a single dot ends nothing
	for _, r := range recipients {
		arguments = append(arguments, strings.Trim(r, "<>"))
	}
	var text bytes.Buffer
	if _, err := m.WriteTo(&text); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, sendmailTime)
	defer cancel()
	cmd := exec.CommandContext(limited, program, arguments...)
	cmd.Stdin = bytes.NewReader(bytes.ReplaceAll(text.Bytes(), []byte("\r\n"), []byte("\n")))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	said := strings.Join(strings.Fields(string(out[:min(len(out), shown)])), " ")
	exit := (*exec.ExitError)(nil)
	switch {
	case limited.Err() != nil:
		return &away{fmt.Errorf("%s did not end within %s and was stopped; it printed %q", program, sendmailTime, said)}
	case errors.As(err, &exit) && exit.ExitCode() == noUser:
		return &Refused{fmt.Errorf("%s: %w: %s", program, err, said)}
	case errors.As(err, &exit):
		return fmt.Errorf("%s: %w: %s", program, err, said)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // a child that it left behind has its output still
		return &away{err}
	}
	return nil
}
