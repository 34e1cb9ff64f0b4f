package bus

import "time"

// meter makes sense of org.freedesktop.ScreenSaver.GetSessionIdleTime: its
// specification says seconds, some desktops answer in milliseconds. It takes seconds
// until a value has risen faster than they pass.
type meter struct {
	millis bool
	value  uint32 // as it was read last
	at     time.Time
}

// meterSlack is how many seconds more than passed may be read: both clocks round.
const meterSlack = 2

// read returns how long the user was idle as of now. The first value is taken for
// activity, which it is as a rule: somebody has just logged in or started the tray.
func (m *meter) read(now time.Time, value uint32) time.Duration {
	was, at := m.value, m.at
	m.value, m.at = value, now
	if at.IsZero() {
		return 0
	}
	passed := now.Sub(at)
	if value > was && float64(value-was) > passed.Seconds()+meterSlack {
		m.millis = true
	}
	if m.millis {
		return time.Duration(value) * time.Millisecond
	}
	return time.Duration(value) * time.Second
}
