package codec

import "encoding/binary"

// Appender is a record that writes its own CBOR with a Map. Those that are written
// for each message do so: it takes a fraction of the time that the encoder needs
// to find the fields by reflection. The bytes are the encoder's, as a test of
// each Appender shows.
type Appender interface {
	// AppendCBOR appends the record to b and returns it.
	AppendCBOR(b []byte) []byte
}

// maxMap is how many pairs a Map has at most: its head is one byte then.
const maxMap = 23

// Map is a map with small integers as keys that is being written. The keys must
// come in rising order, which is that of the deterministic encoding. The methods
// whose name begins with Opt leave the pair out if the value is empty, as omitempty does.
type Map struct {
	b    []byte
	head int
}

// BeginMap begins a map behind what b holds. spare is how many bytes it has for
// certain room for; more are found when they are needed.
func BeginMap(b []byte, spare int) Map {
	if cap(b)-len(b) < spare {
		b = append(make([]byte, 0, len(b)+spare), b...)
	}
	return Map{append(b, majorMap<<5), len(b)}
}

// End returns what was there before the map, and the map.
func (m *Map) End() []byte { return m.b }

func (m *Map) key(key uint64) {
	if m.b[m.head] == majorMap<<5|maxMap {
		panic("codec: a map of more pairs than its head can count")
	}
	m.b[m.head]++
	m.b = appendHead(m.b, majorUnsigned, key)
}

// Uint writes an unsigned number.
func (m *Map) Uint(key, n uint64) {
	m.key(key)
	m.b = appendHead(m.b, majorUnsigned, n)
}

// Int writes a number that may be negative.
func (m *Map) Int(key uint64, n int64) {
	m.key(key)
	if n < 0 {
		m.b = appendHead(m.b, majorNegative, uint64(^n)) // -1-n, RFC 8949, section 3.1
	} else {
		m.b = appendHead(m.b, majorUnsigned, uint64(n))
	}
}

// Bytes writes a byte string.
func (m *Map) Bytes(key uint64, s []byte) {
	m.key(key)
	m.b = append(appendHead(m.b, majorBytes, uint64(len(s))), s...)
}

// Text writes text. Whether it is UTF-8 is for Check to find.
func (m *Map) Text(key uint64, s string) {
	m.key(key)
	m.b = append(appendHead(m.b, majorText, uint64(len(s))), s...)
}

// True writes true.
func (m *Map) True(key uint64) {
	m.key(key)
	m.b = append(m.b, simpleTrue)
}

// Append writes a record.
func (m *Map) Append(key uint64, a Appender) {
	m.key(key)
	m.b = a.AppendCBOR(m.b)
}

// OptUint writes a number other than 0.
func (m *Map) OptUint(key, n uint64) {
	if n != 0 {
		m.Uint(key, n)
	}
}

// OptBytes writes a byte string that is not empty.
func (m *Map) OptBytes(key uint64, s []byte) {
	if len(s) > 0 {
		m.Bytes(key, s)
	}
}

// OptText writes text that is not empty.
func (m *Map) OptText(key uint64, s string) {
	if s != "" {
		m.Text(key, s)
	}
}

// OptTrue writes what is true.
func (m *Map) OptTrue(key uint64, v bool) {
	if v {
		m.True(key)
	}
}

// appendHead is the reverse of head, in the fewest bytes.
func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}
