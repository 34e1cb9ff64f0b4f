package check

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"contactsd/contact"
	"contactsd/store"
	"contactsd/transport"
)

// Limits of asking others.
const (
	maxAsking  = 16              // devices at once
	askTimeout = 4 * time.Second // of one device
	askingTime = 8 * time.Second // of all of one call
)

// Source is where the other device's half of a check comes from.
type Source string

const (
	SourceOwn     Source = "own"     // no half of the other was needed
	SourceLive    Source = "live"    // it answered just now
	SourceReceipt Source = "receipt" // its newest statement that this device holds
	SourceUnknown Source = "unknown"
)

// Options are what is asked. Both puts the other device's half to this one's.
// Live asks the other device for it, which only makes sense with Both.
type Options struct {
	Question contact.Question
	Both     bool
	Live     bool
}

// Result is what came of the check of one device.
type Result struct {
	Peer   contact.ODID
	Check  contact.CheckResult
	Source Source
	AsOf   time.Time // of the half of the other; of a receipt by the other's clock. Zero if unknown
	Note   string    // for a person: why it is not live though it was asked to be, or ""
}

// Check checks devices, contacts or not, and returns a result for each in order.
// Only contacts are asked live, since any other device was promised to be left
// alone, or never heard of this one; what can't be had live comes from the receipt.
func (s *Service) Check(ctx context.Context, peers []contact.ODID, opt Options) ([]Result, error) {
	sides := make([]contact.Sides, len(peers))
	err := s.cfg.DB.View(func(tx *store.Tx) error {
		for i, peer := range peers {
			var err error
			if sides[i], err = s.cfg.Sides(tx, peer); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(peers))
	now := time.Now()
	for i, peer := range peers {
		results[i] = local(peer, sides[i], opt, now)
	}
	if opt.Both && opt.Live {
		s.askAll(ctx, sides, opt.Question, results)
	}
	return results, ctx.Err()
}

// local is the check of a device from what this one holds.
func local(peer contact.ODID, sides contact.Sides, opt Options, now time.Time) Result {
	r := Result{Peer: peer}
	own := sides.Own(opt.Question)
	if !opt.Both {
		r.Check, r.Source, r.AsOf = contact.CheckOneWay(opt.Question, own), SourceOwn, now
		return r
	}
	theirs := sides.Receipt(opt.Question)
	r.Check, r.Source = contact.CheckTwoWay(opt.Question, own, theirs), SourceUnknown
	if theirs != contact.FactUnknown {
		r.Source, r.AsOf = SourceReceipt, time.UnixMilli(int64(sides.Theirs.At))
	}
	return r
}

// askAll puts live answers into the results, or notes why there is none.
func (s *Service) askAll(ctx context.Context, sides []contact.Sides, q contact.Question, results []Result) {
	ctx, cancel := context.WithTimeout(ctx, askingTime)
	defer cancel()
	places := make(chan struct{}, maxAsking)
	var done sync.WaitGroup
	for i := range results {
		r := &results[i]
		if !sides[i].Own(contact.QuestionListed) {
			r.Note = "not asked: it is not on the contact list"
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			r.Note = "not asked: there was no time left"
			continue
		}
		done.Go(func() {
			defer func() { <-places }()
			fact, err := s.ask(ctx, r.Peer, q)
			switch {
			case err != nil:
				s.log.Debug("check: not answered", "peer", r.Peer.Short(), "err", err)
				r.Note = noteOf(err)
			case fact == contact.FactUnknown:
				r.Note = "it does not tell"
			default:
				r.Check, r.Source, r.AsOf = contact.CheckTwoWay(q, sides[i].Own(q), fact), SourceLive, time.Now()
			}
		})
	}
	done.Wait()
}

func noteOf(err error) string {
	if errors.Is(err, transport.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) {
		return "it can't be reached now"
	}
	return "it did not answer: it may not let you ask, or not that often"
}

// ask asks peer for its half.
func (s *Service) ask(ctx context.Context, peer contact.ODID, q contact.Question) (contact.Fact, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	st, err := s.cfg.Network.Open(ctx, peer, Protocol)
	if err != nil {
		return contact.FactUnknown, err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.Reset() })
	defer stop()
	fact, err := exchange(st, q)
	if err != nil {
		st.Reset()
		return contact.FactUnknown, fmt.Errorf("check with %s: %w", peer.Short(), errors.Join(err, ctx.Err()))
	}
	return fact, nil
}

func exchange(st transport.Stream, q contact.Question) (contact.Fact, error) {
	if err := transport.WriteFrame(st, request{q}, maxFrame); err != nil {
		return contact.FactUnknown, err
	}
	var out response
	if err := transport.NewFrameReader(st, maxFrame).Read(&out); err != nil {
		return contact.FactUnknown, err
	}
	return out.Fact, out.check()
}
