package local

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// What Dispatcher and Executor tell each other: frames of JSON, each behind its length in four bytes.

// maxFrame bounds a frame. What the largest source takes is far below, and so is a list of maxArtifacts.
const maxFrame = 256 << 20

// request is what the Dispatcher asks of the Executor, who answers each with a reply of the same ID.
type request struct {
	ID        int64
	Op        op
	Ticket    int64          `json:",omitempty"`
	Job       string         `json:",omitempty"`
	Number    int            `json:",omitempty"`
	TimeLimit time.Duration  `json:",omitempty"`
	Source    engine.Source  `json:",omitzero"`
	Secrets   engine.Secrets `json:",omitempty"`
	SHA256    string         `json:",omitempty"` // of the script that the Dispatcher expects
	Changed   bool           `json:",omitempty"` // the database has another source than was handed in
	Runners   []string       `json:",omitempty"`
	Ended     time.Time      `json:",omitzero"`
}

type op string

const (
	opPrepare   op = "prepare"   // make the place of a build's log and artifacts
	opBuild     op = "build"     // make the script, and run it: an end follows
	opStop      op = "stop"      // end a build that runs
	opPublish   op = "publish"   // put the artifacts of a build that has ended in their place
	opRelease   op = "release"   // give up a build's slot
	opDelete    op = "delete"    // delete a build's files
	opHeartbeat op = "heartbeat" // give a sign of life
	opFindDead  op = "find-dead" // say which runners are dead, and end what is left of their builds
	opMarkLost  op = "mark-lost" // end the log of a build that was lost, and delete its artifacts
	opCleanUp   op = "clean-up"  // remove the files of a dead runner
	opShutDown  op = "shut-down" // end: nothing is to be built any more
)

// reply answers a request; one with ID 0 is an event.
type reply struct {
	ID     int64
	Error  string   `json:",omitempty"`
	Dead   []string `json:",omitempty"`
	Hello  *hello   `json:",omitempty"`
	End    *end     `json:",omitempty"`
	Closes bool     `json:",omitempty"` // the runner is to end: nothing more is taken
}

// hello is the Executor's first word.
type hello struct {
	Runner      string
	Concurrency int
}

// end is how a build ended.
type end struct {
	Ticket    int64
	State     engine.State
	Reason    i18n.Stored
	Took      time.Duration
	Artifacts []store.Artifact
}

// wire is one end of the connection. Any goroutine may send; one receives.
type wire struct {
	io.ReadWriteCloser
	mu sync.Mutex
}

func (w *wire) send(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > maxFrame {
		return fmt.Errorf("a message of %d bytes is too long", len(text))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

func (w *wire) receive(v any) error {
	var head [4]byte
	if _, err := io.ReadFull(w, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("a message of %d bytes is too long", n)
	}
	// As much memory as there really is to read.
	text, err := io.ReadAll(io.LimitReader(w, int64(n)))
	if err != nil {
		return err
	}
	if len(text) < int(n) {
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(text, v)
}

// check sees that nothing in a request can lead anywhere but to a build's or a runner's own place.
func (r *request) check() error {
	build := func() error {
		if !engine.ValidName(r.Job) || r.Number < 1 || r.Number > 1<<31-1 {
			return fmt.Errorf("%.100q, %d is no build", r.Job, r.Number)
		}
		return nil
	}
	if r.Op != opPrepare && r.Op != opDelete && r.Op != opMarkLost && r.Job != "" {
		return errors.New("a job is named where none belongs")
	}
	switch r.Op {
	case opPrepare, opDelete, opMarkLost:
		return build()
	case opBuild:
		if r.TimeLimit < 0 || len(r.SHA256) != 64 && !r.Changed {
			return errors.New("the limit of time or the checksum can't be")
		}
		return r.Secrets.Check()
	case opFindDead, opCleanUp:
		for _, id := range r.Runners {
			if !isRunner(id) {
				return fmt.Errorf("%.100q is no runner", id)
			}
		}
	case opStop, opPublish, opRelease, opHeartbeat, opShutDown:
	default:
		return fmt.Errorf("%.100q is no request", string(r.Op))
	}
	return nil
}

// runnerPrefix begins a runner's id, which goes on as rand.Text makes it.
const runnerPrefix = "runner-"

func isRunner(id string) bool {
	random, ok := strings.CutPrefix(id, runnerPrefix)
	return ok && len(random) == 26 && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// connPair returns the two ends of a connection between Dispatcher and Executor, neither of which a program inherits
// unasked.
func connPair() (dispatcher, executor *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "dispatcher"), os.NewFile(uintptr(fds[1]), "executor"), nil
}
