package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Rest is what a record holds that this program has no fields for: the pairs of a
// map with unsigned keys that stand behind the highest key known here. A newer
// program wrote them; whoever keeps them with the record loses nothing of it.
type Rest struct {
	pairs uint64
	bytes []byte
}

// RestOf takes from the encoded map what stands behind the key last: in a
// deterministic map the known keys come first. It returns ErrNotCanonical if one
// comes later.
func RestOf(data []byte, last uint64) (Rest, error) {
	major, pairs, at, err := head(data)
	if err != nil {
		return Rest{}, err
	}
	if major != majorMap {
		return Rest{}, errors.New("no CBOR map")
	}
	var rest Rest
	for ; pairs > 0; pairs-- {
		major, key, _, err := head(at)
		switch known := major == majorUnsigned && key <= last; {
		case err != nil:
			return Rest{}, err
		case known && rest.pairs > 0:
			return Rest{}, ErrNotCanonical
		case !known && rest.pairs == 0:
			rest = Rest{pairs, bytes.Clone(at)}
		}
		for range 2 {
			if at, err = check(at, 1); err != nil {
				return Rest{}, err
			}
		}
	}
	return rest, nil
}

// Join returns the encoded map with r at its end.
func (r Rest) Join(data []byte) ([]byte, error) {
	if r.pairs == 0 {
		return data, nil
	}
	major, pairs, at, err := head(data)
	if err != nil {
		return nil, err
	}
	if major != majorMap {
		return nil, errors.New("no CBOR map")
	}
	pairs += r.pairs
	if pairs > maxPairs {
		return nil, fmt.Errorf("map of %d pairs, at most %d", pairs, maxPairs)
	}
	joined := mapHead(pairs)
	return append(append(joined, at...), r.bytes...), nil
}

// mapHead is the shortest head of a map of at most 65535 pairs, as RFC 8949,
// section 4.2.1, wants it.
func mapHead(pairs uint64) []byte {
	const first = majorMap << 5
	switch {
	case pairs < 24:
		return []byte{first | byte(pairs)}
	case pairs < 1<<8:
		return []byte{first | 24, byte(pairs)}
	}
	return binary.BigEndian.AppendUint16([]byte{first | 25}, uint16(pairs))
}
