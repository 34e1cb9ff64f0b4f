package message

import (
	"bufio"
	"fmt"
	"io"
	"sync"

	"contactsd/transport"
)

// intake collects what arrives while the batch before is committed, a window at
// most: the longer a commit takes, the more the next one carries. With many streams
// it is less, so that all together stay within a budget. What is not taken stays
// with the sender: the stream is not read.
type intake struct {
	arrived chan struct{} // buffered; something can be taken
	room    chan struct{} // buffered; something was taken, or stored
	end     chan struct{} // closed when nobody takes any more
	done    chan struct{} // closed when the reader has ended

	mu     sync.Mutex
	frames []frame
	size   int   // of them
	taken  int   // size of those that were taken and are not stored yet
	held   share // of both
	err    error // what ended the stream, after the frames
}

func newIntake(b *budget) *intake {
	return &intake{
		held:    share{b: b},
		arrived: make(chan struct{}, 1), room: make(chan struct{}, 1),
		end: make(chan struct{}), done: make(chan struct{}),
	}
}

// fill reads frames until the stream or the intake ends.
func (in *intake) fill(st io.Reader) {
	defer close(in.done)
	r := transport.NewFrameReader(bufio.NewReaderSize(st, streamBuffer), maxFrame)
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
		in.size += len(f.Body) + frameCost
		in.held.add(len(f.Body) + frameCost)
	}
	signal(in.arrived)
	return in.full()
}

func (in *intake) full() bool {
	return len(in.frames) >= windowFrames || in.size >= windowBytes || in.held.full()
}

// take waits for frames, or for the end of the stream, and returns what there
// is. Frames that came before an error count.
func (in *intake) take() ([]frame, error) {
	<-in.arrived
	in.mu.Lock()
	defer in.mu.Unlock()
	frames := in.frames
	in.taken = in.size
	in.frames, in.size = nil, 0
	signal(in.room)
	return frames, in.err
}

// stored says that what was taken is on the disk.
func (in *intake) stored() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.held.release(in.taken)
	in.taken = 0
	signal(in.room)
}

// drop ends the intake. The stream has ended or is reset, so that reading does.
func (in *intake) drop() {
	close(in.end)
	<-in.done
	in.held.drop()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
