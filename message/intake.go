package message

import (
	"bufio"
	"fmt"
	"io"
	"sync"

	"contactsd/transport"
)

// intake collects what arrives while the batch before is committed, a window at
// most: the longer a commit takes, the more the next one carries.
type intake struct {
	arrived chan struct{} // buffered; something can be taken
	room    chan struct{} // buffered; something was taken
	end     chan struct{} // closed when nobody takes any more
	done    chan struct{} // closed when the reader has ended

	mu     sync.Mutex
	frames []frame
	size   int   // bytes of their bodies
	err    error // what ended the stream, after the frames
}

func newIntake() *intake {
	return &intake{
		arrived: make(chan struct{}, 1), room: make(chan struct{}, 1),
		end: make(chan struct{}), done: make(chan struct{}),
	}
}

// fill reads frames until the stream or the intake ends.
func (in *intake) fill(st io.Reader) {
	defer close(in.done)
	r := transport.NewFrameReader(bufio.NewReaderSize(st, 64<<10), maxFrame)
	for {
		f, err := read(r)
		if err == nil && f.Type != frameMessage && f.Type != frameSkip {
			err = fmt.Errorf("%w: frame type %d from a sender", errProtocol, f.Type)
		}
		full := in.add(f, err)
		if err != nil {
			return
		}
		for full {
			select {
			case <-in.room:
			case <-in.end:
				return
			}
			in.mu.Lock()
			full = in.full()
			in.mu.Unlock()
		}
	}
}

func (in *intake) add(f frame, err error) (full bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err != nil {
		in.err = err
	} else {
		in.frames = append(in.frames, f)
		in.size += len(f.Body)
	}
	signal(in.arrived)
	return in.full()
}

func (in *intake) full() bool { return len(in.frames) >= windowFrames || in.size >= windowBytes }

// take waits for frames, or for the end of the stream, and returns what there
// is. Frames that came before an error count.
func (in *intake) take() ([]frame, error) {
	<-in.arrived
	in.mu.Lock()
	defer in.mu.Unlock()
	frames := in.frames
	in.frames, in.size = nil, 0
	signal(in.room)
	return frames, in.err
}

// drop ends the intake. The stream has ended or is reset, so that reading does.
func (in *intake) drop() {
	close(in.end)
	<-in.done
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
