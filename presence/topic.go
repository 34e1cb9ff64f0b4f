package presence

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// topic is what the beacons of one presence key are known by on one UTC day, to
// those who hold the key.
type topic [32]byte

const topicLabel = "contacts/topic/1\x00"

func topicOf(key presenceKey, day uint64) topic {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(topicLabel))
	mac.Write(binary.BigEndian.AppendUint64(nil, day))
	return topic(mac.Sum(nil))
}

// dayOf counts UTC days since 1970.
func dayOf(now time.Time) uint64 { return unixMilli(now) / uint64(24*time.Hour/time.Millisecond) }

// nearDays are those that another device may take for today.
func nearDays(day uint64) [3]uint64 { return [3]uint64{day, day + 1, max(day, 1) - 1} }

// nonce is what one side of a link adds to its masks.
type nonce [32]byte

func (n *nonce) UnmarshalCBOR(data []byte) error { return codec.Fixed(n[:], data) }

// mask names a topic on one link, for those who know the topic. Who says it goes
// into it: a mask that is sent back names nothing, and one said to somebody else
// neither.
type mask [8]byte

func (m *mask) UnmarshalCBOR(data []byte) error { return codec.Fixed(m[:], data) }

func maskOf(t topic, author contact.ODID, authors, others nonce) mask {
	mac := hmac.New(sha256.New, t[:])
	mac.Write(author[:])
	mac.Write(authors[:])
	mac.Write(others[:])
	return mask(mac.Sum(nil)[:len(mask{})])
}
