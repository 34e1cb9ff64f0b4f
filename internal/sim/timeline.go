package sim

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// timeline is what happened in a run, for a person to read.
type timeline struct {
	start time.Time

	mu    sync.Mutex
	lines []line
}

type line struct {
	at   time.Duration
	text string
}

func newTimeline() *timeline { return &timeline{start: time.Now()} }

func (t *timeline) note(format string, args ...any) {
	l := line{time.Since(t.start), fmt.Sprintf(format, args...)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, l)
}

// print writes all lines, those of one moment together.
func (t *timeline) print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := time.Duration(-1)
	for _, l := range t.lines {
		stamp := strings.Repeat(" ", 15)
		if l.at != before {
			stamp = fmt.Sprintf("%15s", clock(l.at))
		}
		before = l.at
		fmt.Fprintf(w, "%s  %s\n", stamp, l.text)
	}
}

// clock prints 26h3m4.005s as "1d 02:03:04.005".
func clock(d time.Duration) string {
	days := d / (24 * time.Hour)
	d -= days * 24 * time.Hour
	h, m, s, ms := d/time.Hour, d/time.Minute%60, d/time.Second%60, d/time.Millisecond%1000
	text := fmt.Sprintf("%02d:%02d:%02d.%03d", h, m, s, ms)
	if days > 0 {
		text = fmt.Sprintf("%dd %s", days, text)
	}
	return text
}
