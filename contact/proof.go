package contact

import (
	"crypto/ed25519"
	"slices"
)

const askDomain = "contacts/ask/1\x00"

// AskSigningBytes returns what the author of an ask signs beside the statement that
// holds it: the ask's digest, and from whom to whom it goes. So whoever was asked can
// prove that, and need not show what was written: the digest covers the random id of
// the ask, which nobody else knows, and so tells nothing of its wording.
//
//	"contacts/ask/1" ‖ 0x00 ‖ author[32] ‖ subject[32] ‖ digest[32]
func AskSigningBytes(author, subject ODID, d Digest) []byte {
	return slices.Concat([]byte(askDomain), author[:], subject[:], d[:])
}

// proven reports whether proof is author's signature on the ask with digest d.
func proven(author, subject ODID, d Digest, proof []byte) bool {
	return len(proof) == ed25519.SignatureSize && ed25519.Verify(author.Key(), AskSigningBytes(author, subject, d), proof)
}

// checkProof returns ErrSignature for an ask whose proof is not its author's. One
// without a proof, as older programs sent it, passes: Admit takes none of a stranger.
func (s Statement) checkProof() error {
	if s.Ask == nil || len(s.Ask.Proof) == 0 {
		return nil
	}
	d, err := s.Ask.Digest()
	if err != nil {
		return err
	}
	if !proven(s.Author, s.Subject, d, s.Ask.Proof) {
		return ErrSignature
	}
	return nil
}
