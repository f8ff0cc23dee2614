package local

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a build's script that runs, in a session and process group of its own, and with root also in a process
// namespace of its own: whatever the build has begun ends with the script, wherever it has hidden.
type process struct {
	cmd          *exec.Cmd
	watchdog     *exec.Cmd
	watchdogPipe *os.File // open as long as this process lives: the watchdog's standard input
	stdin        *os.File // likewise: the script's. It ends its sandbox when this closes
	ended        chan struct{}
}

const (
	// The watchdog reads the group's id; then a line, when the group has ended, or the end of the runner.
	watchdog = `read -r group && test "$group" || exit 0; read -r ended || kill -s KILL -- "-$group"`
	// The script begins when the watchdog knows about it. A runner that dies before that lets it end at once.
	gate = `read -r go <&3 && exec 3<&- && umask 022 && exec "$@"`
)

// contained is what a script is run with in a process namespace: it is its first process, and its end is that of all
// others there.
var contained = []string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}

// canContain tells whether scripts can be contained: root has the right, mostly not so in a container.
func canContain() bool {
	if os.Getuid() != 0 {
		return false
	}
	return AsRoot(exec.Command(contained[0], append(contained[1:], "true")...).Run) == nil
}

// grace is how long a build has after SIGTERM.
const grace = 5 * time.Second

// start runs the script in dir. What it says goes straight to log.
func start(script, dir string, env []string, log *os.File, contain bool) (*process, error) {
	p := &process{ended: make(chan struct{})}
	var err error
	if p.watchdog, p.watchdogPipe, err = gated(exec.Command("/bin/sh", "-c", watchdog), true); err != nil {
		return nil, err
	}
	args := []string{"-c", gate, "gate"}
	if contain {
		args = append(args, contained...)
	}
	p.cmd = exec.Command("/bin/sh", append(args, "/bin/sh", script)...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, log, log
	stdin, hold, err := os.Pipe()
	if err != nil {
		p.release()
		return nil, err
	}
	defer stdin.Close()
	p.cmd.Stdin, p.stdin = stdin, hold
	_, open, err := gated(p.cmd, false)
	if err != nil {
		p.release()
		return nil, err
	}
	defer open.Close()
	_, err = fmt.Fprintln(p.watchdogPipe, p.cmd.Process.Pid)
	if err == nil {
		_, err = fmt.Fprintln(open)
	}
	if err != nil {
		p.signal(syscall.SIGKILL)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// gated starts cmd in a session of its own, and as root if that is possible. It reads from the pipe that is returned as
// its standard input, or else as its file 3.
func gated(cmd *exec.Cmd, stdin bool) (*exec.Cmd, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if stdin {
		cmd.Stdin, cmd.Env, cmd.Dir = r, []string{}, "/"
	} else {
		cmd.ExtraFiles = []*os.File{r}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if privilegesDropped() || os.Getegid() != os.Getgid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	if err := AsRoot(cmd.Start); err != nil {
		w.Close()
		return nil, nil, err
	}
	return cmd, w, nil
}

// signal sends a signal to the group.
func (p *process) signal(s syscall.Signal) {
	AsRoot(func() error { return syscall.Kill(-p.cmd.Process.Pid, s) })
}

// stop asks the group to end, and waits until all of the build has, but not too long.
func (p *process) stop(mark string) {
	p.signal(syscall.SIGTERM)
	for end := time.Now().Add(grace); p.running(mark) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
	}
}

// running does not ask whether the group exists: one of zombies does, where nobody reaps them.
func (p *process) running(mark string) bool {
	select {
	case <-p.ended:
		return len(processesWithMark(append([]byte(mark), 0))) > 0
	default:
		return true
	}
}

// killAll ends whatever is left of a script, and forgets it.
func (p *process) killAll(mark string) {
	p.stdin.Close()
	p.signal(syscall.SIGKILL)
	<-p.ended
	killMarked(mark, false)
	p.release()
}

func (p *process) release() {
	fmt.Fprintln(p.watchdogPipe)
	p.watchdogPipe.Close()
	p.stdin.Close() // nil is an error only
	p.watchdog.Wait()
}

// result is the script's exit status, or the signal that killed it. Only after it has ended.
func (p *process) result() (code int, signal syscall.Signal) {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 0, status.Signal()
	}
	return status.ExitStatus(), 0
}

// killMarked kills every process that has mark in its environment, or a variable that begins with it, until none is
// left; it gives up after some seconds. So it finds those too that have left their group and session.
func killMarked(mark string, prefix bool) {
	wanted := append([]byte(mark), 0)
	if prefix {
		wanted = []byte(mark)
	}
	for end := time.Now().Add(grace / 2); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		all := processesWithMark(wanted)
		if len(all) == 0 {
			return
		}
		AsRoot(func() error {
			for _, pid := range all {
				kill(pid, wanted)
			}
			return nil
		})
	}
}

func kill(pid int, wanted []byte) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer p.Release()
	// Asked again, now that the id can't pass to another process unnoticed.
	if marked(pid, wanted) {
		p.Signal(syscall.SIGKILL)
	}
}

// processesWithMark returns the processes with wanted in their environment. A zombie has none.
func processesWithMark(wanted []byte) (all []int) {
	AsRoot(func() error {
		entries, err := os.ReadDir("/proc")
		for _, entry := range entries {
			if pid, err := strconv.Atoi(entry.Name()); err == nil && marked(pid, wanted) {
				all = append(all, pid)
			}
		}
		return err
	})
	return all
}

func marked(pid int, wanted []byte) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && (bytes.HasPrefix(env, wanted) || bytes.Contains(env, append([]byte{0}, wanted...)))
}
