package contact

import "contactsd/internal/codec"

// StampsOfAsk is how many stamps a stranger's ask needs: one for each credit that it
// costs who asks.
const StampsOfAsk = priceAdd

// Stamps returns how many stamps the act may need.
func (a Act) Stamps() int {
	if a == ActAsk {
		return StampsOfAsk
	}
	return 0
}

// MaxDifficulty is the most, in leading zero bits of each stamp, that is asked for, or
// worked for: twice as much work could not be done before the challenge lapses.
const MaxDifficulty = 14

// MaxDifficultySet is the most that a user can set.
const MaxDifficultySet = 12

const (
	crowdStep = 8 // strangers that wait, for each of which
	crowdBits = 2 // bits are added
)

// Difficulty returns how many leading zero bits each stamp of a stranger's ask needs
// while so many strangers wait. 0 asks for no stamps, whoever waits.
func (p Policy) Difficulty(waiting int) int {
	if p.Stamps <= 0 {
		return 0
	}
	return min(p.Stamps+crowdBits*(waiting/crowdStep), MaxDifficulty)
}

// ReceiptSize is the size of a Receipt, in bytes.
const ReceiptSize = 16

// Receipt is what an asker holds of an ask whose stamps were taken: shown that day and
// the next, no stamps are due. It says nothing of what became of the ask, and has it
// never taken: what was dropped comes again with new stamps, when the receipt is over.
type Receipt [ReceiptSize]byte

// UnmarshalCBOR accepts a byte string of exactly the right length.
func (r *Receipt) UnmarshalCBOR(data []byte) error { return codec.Fixed(r[:], data) }
