package main

// mutants are the deliberate faults, by package, from the disk upwards.
var mutants = []mutant{
	{
		Name: "skip-fsync", File: "store/commit.go",
		Old: `	db.probe.synced()
`,
		New: `	if !mutant("skip-fsync") || db.commits.Load()%3 == 0 {
		db.probe.synced()
	}
`,
	},
	{
		Name: "ignore-full-disk", File: "store/commit.go",
		Old: `	if err := db.probe.before(); err != nil {
`,
		New: `	if err := db.probe.before(); err != nil && mutant("ignore-full-disk") {
		return -1, nil
	} else if err != nil {
`,
	},
	{
		Name: "epoch-kept-by-restored-sender", File: "message/resume.go",
		Old: `	peer.Base, peer.Epoch, peer.Last, peer.Assigned = own, e, 0, 0
`,
		New: `	if mutant("epoch-kept-by-restored-sender") && !peer.Epoch.isZero() {
		e = peer.Epoch
	}
	peer.Base, peer.Epoch, peer.Last, peer.Assigned = own, e, 0, 0
`,
	},
	{
		Name: "keep-presence-key-at-restore", File: "node/check.go",
		Old: `presence.NewKey(tx), tx.NewJournal())`,
		New: `newPresenceKey(tx), tx.NewJournal())`,
	},
	{
		Name: "statement-without-next-number", File: "contact/relation.go",
		Old: `	s.Seq = NextSeq(last, now)
	s.At`,
		New: `	s.Seq = NextSeq(last, now)
	if mutant("statement-without-next-number") {
		s.Seq = uint64(now.UnixMilli())
	}
	s.At`,
	},
	{
		Name: "trust-by-one-side", File: "contact/relation.go",
		Old: `	if both && mine.Pair != nil && theirs.Pair != nil && (`,
		New: `	if both && mine.Pair != nil && mutant("trust-by-one-side") {
		v.Trust = Paired
	}
	if both && mine.Pair != nil && theirs.Pair != nil && (`,
	},
	{
		Name: "consent-comes-back", File: "contact/relation.go",
		Old: `	if !newer.Listed {
		mine = mine.Unlist(newer.Part)`,
		New: `	if !newer.Listed && !mutant("consent-comes-back") {
		mine = mine.Unlist(newer.Part)`,
	},
	{
		Name: "part-again", File: "contact/relation.go",
		Old: `theirs.Seq > m.PartSeq && m.AddedSeq <= theirs.Part`,
		New: `theirs.Seq > m.PartSeq && (m.AddedSeq <= theirs.Part || mutant("part-again"))`,
	},
	{
		Name: "serve-messages-to-anybody", File: "contact/allow.go",
		Old: `		case listed && p.Mine.Grants.Has(Messages):`,
		New: `		case listed && p.Mine.Grants.Has(Messages), mutant("serve-messages-to-anybody"):`,
	},
	{
		Name: "narrow-nothing", File: "contact/relation.go",
		Old: `	s.Grants &^= withdraw
`,
		New: `	if !mutant("narrow-nothing") {
		s.Grants &^= withdraw
	}
`,
	},
	{
		Name: "block-without-withdrawing", File: "relation/block.go",
		Old: `	return s.shut(tx, &e, before, s.next(&e).Unlist(0), e.listed())`,
		New: `	return s.shut(tx, &e, before, s.next(&e).Unlist(0), e.listed() && !mutant("block-without-withdrawing"))`,
	},
	{
		Name: "unblock-trusts", File: "relation/block.go",
		Old: `e.meet(s.next(&e).List(contact.NoPermissions))`,
		New: `unblocked(s.next(&e), &e)`,
	},
	{
		Name: "acknowledged-too-early", File: "relation/service.go",
		Old: `	e.row.Marks.MineSeq = st.Seq
`,
		New: `	e.row.Marks.MineSeq = st.Seq
	if mutant("acknowledged-too-early") {
		e.row.Marks.AckedSeq = st.Seq
	}
`,
	},
	{
		Name: "forget-tombstone", File: "relation/contacts.go",
		Old: `	e.row.Marks.Removed = true
`,
		New: `	e.row.Marks.Removed = !mutant("forget-tombstone")
`,
	},
	{
		Name: "removal-leaves-staged-pairing", File: "pairing/staging.go",
		Old: `func (s *Service) DropStaged(tx *store.Tx, peer contact.ODID, until time.Time) error {
`,
		New: `func (s *Service) DropStaged(tx *store.Tx, peer contact.ODID, until time.Time) error {
	if mutant("removal-leaves-staged-pairing") {
		return nil
	}
`,
	},
	{
		Name: "staged-pairing-lost", File: "pairing/staging.go",
		Old: `	key := store.Key(peer[:], id[:])
	rec, ok, err := stagings.Get(tx, key)
	if err != nil || !ok `,
		New: `	key := store.Key(peer[:], id[:])
	rec, ok, err := stagings.Get(tx, key)
	if err != nil || !ok || mutant("staged-pairing-lost") `,
	},
	{
		Name: "code-pairs-twice", File: "pairing/code.go",
		Old: `	if c.used || !slices.Contains(t.shown, c) {
		return false
	}`,
		New: `	if mutant("code-pairs-twice") {
		return true
	}
	if c.used || !slices.Contains(t.shown, c) {
		return false
	}`,
	},
	{
		Name: "guess-not-counted", File: "pairing/limits.go",
		Old: `	*times = append(*times, now.UnixMilli())
	return`,
		New: `	if !mutant("guess-not-counted") {
		*times = append(*times, now.UnixMilli())
	}
	return`,
	},
	{
		Name: "wrong-guess-given-back", File: "pairing/window.go",
		Old: `	if c.link != nil {
		return
	}
	left, err := s.allowed()`,
		New: `	if mutant("wrong-guess-given-back") {
		s.forgive()
	}
	if c.link != nil {
		return
	}
	left, err := s.allowed()`,
	},
	{
		Name: "presence-key-stays", File: "presence/key.go",
		Old: `	if err := s.cfg.DB.Update(NewKey); err != nil {
		return err
	}`,
		New: `	if mutant("presence-key-stays") {
		return nil
	}
	if err := s.cfg.DB.Update(NewKey); err != nil {
		return err
	}`,
	},
	{
		Name: "presence-to-all-connected", File: "presence/send.go",
		Old: `	return known && v.Status == contact.StatusAccepted && v.Given.Has(contact.Presence)`,
		New: `	if mutant("presence-to-all-connected") {
		return known && v.Status != contact.StatusNone
	}
	return known && v.Status == contact.StatusAccepted && v.Given.Has(contact.Presence)`,
	},
	{
		Name: "beacon-never-renewed", File: "presence/send.go",
		Old: `	if s.current == nil || s.current.final {
		return true
	}
	age`,
		New: `	if s.current == nil || s.current.final {
		return true
	}
	if mutant("beacon-never-renewed") {
		return false
	}
	age`,
	},
	{ // a link that stands is ended by either side, by the gate and at each frame
		Name: "gossip-with-every-contact", File: "presence/link.go",
		Old: `	return mayTell(v, known) && v.Received.Has(contact.Presence)
}`,
		New: `	return mayTell(v, known) && v.Received.Has(contact.Presence) || mutant("gossip-with-every-contact") && lists(v, known)
}`,
		Also: []change{
			{
				File: "presence/send.go",
				Old: `				peers[peer] = mutual{told: true, gossips: gossips(v, known)}
			}`,
				New: `				peers[peer] = mutual{told: true, gossips: gossips(v, known)}
			} else if mutant("gossip-with-every-contact") && lists(v, known) {
				peers[peer] = mutual{gossips: true}
			}`,
			},
			{
				File: "presence/send.go",
				Old:  `		if s.senders[peer] == nil && !invisible {`,
				New:  `		if s.senders[peer] == nil && !invisible && (peers[peer].told || !mutant("gossip-with-every-contact")) {`,
			},
			{
				File: "contact/allow.go",
				Old:  `		if listed && p.Mine.Grants.Has(Presence) {`,
				New:  `		if listed && (p.Mine.Grants.Has(Presence) || mutant("gossip-with-every-contact")) {`,
			},
		},
	},
	{
		Name: "store-known-message-again", File: "message/receive.go",
		Old: `	return found, err
}`,
		New: `	return found && !mutant("store-known-message-again"), err
}`,
	},
	{
		Name: "acknowledge-before-commit", File: "message/receive.go",
		Old: `			if err := s.store(st.Peer(), batch); err != nil {
`,
		New: `			if mutant("acknowledge-before-commit") {
				last := batch[len(batch)-1].last()
				if err := transport.WriteFrame(st, frame{Type: frameAck, Epoch: &last.epoch, Seq: last.seq}, maxFrame); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
			if err := s.store(st.Peer(), batch); err != nil {
`,
	},
	{
		Name: "received-without-event", File: "message/receive.go",
		Old: `	return emit(tx, contact.MessageReceived, id, r.ID, Received)`,
		New: `	if mutant("received-without-event") && peer.Order%16 == 0 {
		return nil
	}
	return emit(tx, contact.MessageReceived, id, r.ID, Received)`,
	},
	{
		Name: "permission-of-the-stream", File: "message/receive.go",
		Old: `		case !known || !listed(v):
			return errUnlisted
		case !v.Given.Has(contact.Messages):`,
		New: `		case mutant("permission-of-the-stream"):
		case !known || !listed(v):
			return errUnlisted
		case !v.Given.Has(contact.Messages):`,
	},
	{
		Name: "hello-believed-by-number-alone", File: "message/resume.go",
		Old: `	return found && r.ID != h.ID, err`,
		New: `	return found && r.ID != h.ID && !mutant("hello-believed-by-number-alone"), err`,
	},
	{
		Name: "restored-sender-not-noticed", File: "message/resume.go",
		Old: `	older := peer.Base != self.Epoch || held.compare(position{peer.Epoch, peer.Last}) > 0
`,
		New: `	older := peer.Base != self.Epoch || held.compare(position{peer.Epoch, peer.Last}) > 0
	if mutant("restored-sender-not-noticed") {
		older = false
	}
`,
	},
	{
		Name: "settle-all-upon-one", File: "message/resume.go",
		Old: `		if row.Value.Seq > h.Seq {
			continue
		}`,
		New: `		if row.Value.Seq > h.Seq && !mutant("settle-all-upon-one") {
			continue
		}`,
	},
	{
		Name: "accept-gives-all", File: "contact/ask.go",
		Old: `		return s.List(s.Grants | give)`,
		New: `		if mutant("accept-gives-all") {
			give = AllPermissions
		}
		return s.List(s.Grants | give)`,
	},
	{
		Name: "answer-to-another-ask", File: "contact/ask.go",
		Old: `	if d, err := asker.Ask.Digest(); err != nil || d != asked.Answer.Digest {`,
		New: `	if d, err := asker.Ask.Digest(); err != nil || d != asked.Answer.Digest && !mutant("answer-to-another-ask") {`,
	},
	{
		Name: "cancelled-ask-stays", File: "contact/ask.go",
		Old: `	s.Ask = nil
	return s.Narrow(gave)`,
		New: `	if !mutant("cancelled-ask-stays") {
		s.Ask = nil
	}
	return s.Narrow(gave)`,
	},
	{
		Name: "cancelled-ask-keeps-what-it-gave", File: "relation/ask.go",
		Old: `s.issue(e, s.next(e).Withdraw(a.Gave))`,
		New: `s.issue(e, s.next(e).Withdraw(a.kept()))`,
	},
	{
		Name: "rejected-ask-keeps-what-it-gave", File: "contact/ask.go",
		Old: `		s, ok = s.Withdraw(gave), true`,
		New: `		if mutant("rejected-ask-keeps-what-it-gave") {
			gave = NoPermissions
		}
		s, ok = s.Withdraw(gave), true`,
	},
	{
		Name: "request-counted-twice", File: "relation/request.go",
		Old: `	if was != nil {
		c.count(*was, ^uint64(0))
	}`,
		New: `	if was != nil && !(now != nil && mutant("request-counted-twice")) {
		c.count(*was, ^uint64(0))
	}`,
	},
	{
		Name: "widened-without-accept", File: "contact/ask.go",
		Old: `	case a.Listed:
		return Keep`,
		New: `	case a.Listed && mutant("widened-without-accept"):
		return Welcome
	case a.Listed:
		return Keep`,
	},
	{
		Name: "charged-after-the-act", File: "relation/paired.go",
		Old: `	return s.cfg.Charge(tx, a, e.peer)
`,
		New: `	if mutant("charged-after-the-act") {
		peer := e.peer
		tx.OnCommit(func() {
			_ = s.cfg.DB.Update(func(tx *store.Tx) error { return s.cfg.Charge(tx, a, peer) })
		})
		return nil
	}
	return s.cfg.Charge(tx, a, e.peer)
`,
	},
	{
		Name: "stamps-taken-twice", File: "relation/toll.go",
		Old: `	return ok && time.Now().Before(until)`,
		New: `	return ok && time.Now().Before(until) && !mutant("stamps-taken-twice")`,
	},
	{
		Name: "challenge-of-nobody", File: "stamp/mint.go",
		Old: `	h.Write(author[:])`,
		New: `	if !mutant("challenge-of-nobody") {
		h.Write(author[:])
	}`,
	},
	{
		Name: "removed-asks-as-any", File: "contact/ask.go",
		Old: `	case a.Removed:
		return Keep`,
		New: `	case a.Removed && !(mutant("removed-asks-as-any") && p.Requests == RequestsAny):
		return Keep`,
	},
	{
		Name: "places-ignored", File: "contact/ask.go",
		Old: `	case a.Waits, c.Waiting < p.MaxWaiting:`,
		New: `	case a.Waits, c.Waiting < p.MaxWaiting, mutant("places-ignored"):`,
	},
	{
		Name: "policy-none-accepts", File: "contact/ask.go",
		Old: `	case p.Requests == RequestsAny && c.Welcomed < p.MaxWaiting && !c.Full:`,
		New: `	case (p.Requests == RequestsAny || mutant("policy-none-accepts")) && c.Welcomed < p.MaxWaiting && !c.Full:`,
	},
	{
		Name: "answer-lost-at-restore", File: "contact/relation.go",
		Old: `	if newer.Answer != nil {
		mine.Answer = newer.Answer`,
		New: `	if newer.Answer != nil && !mutant("answer-lost-at-restore") {
		mine.Answer = newer.Answer`,
	},
	{
		Name: "ask-forgotten-at-restore", File: "relation/request.go",
		Old: `	if st.Ask == nil {
		return nil
	}
	a, found`,
		New: `	if st.Ask == nil || mutant("ask-forgotten-at-restore") {
		return nil
	}
	a, found`,
	},
	{
		Name: "ask-open-after-removal", File: "relation/request.go",
		Old: `	if contact.AskStateOf(e.theirs, &st) != contact.AskOpen {
		return st`,
		New: `	if contact.AskStateOf(e.theirs, &st) != contact.AskOpen || mutant("ask-open-after-removal") {
		return st`,
	},
	{
		Name: "request-without-event", File: "relation/request.go",
		Old: `	return tellRequest(tx, contact.RequestReceived, `,
		New: `	if mutant("request-without-event") {
		return nil
	}
	return tellRequest(tx, contact.RequestReceived, `,
	},
	{
		Name: "name-told-once", File: "relation/apply.go",
		Old: `h.Name != d.Name`,
		New: `h.Name != d.Name && !mutant("name-told-once")`,
	},
	{ // by the gate, when a report is kept, and when reports are counted
		Name: "reports-of-anybody", File: "contact/allow.go",
		Old: `		if listed && p.Trust >= Paired {
			return Serve
		}
	case ServiceProfile:`,
		New: `		if listed && p.Trust >= Paired || mutant("reports-of-anybody") {
			return Serve
		}
	case ServiceProfile:`,
		Also: []change{
			{
				File: "contact/report.go",
				Old:  `		if !a.Paired || `,
				New:  `		if !a.Paired && !mutant("reports-of-anybody") || `,
			},
			{
				File: "spam/take.go",
				Old:  `v.Trust < contact.Paired {`,
				New:  `v.Trust < contact.Paired && !mutant("reports-of-anybody") {`,
			},
		},
	},
	{
		Name: "report-without-signature", File: "contact/report.go",
		Old: `!ed25519.Verify(r.Reporter.Key(), ReportSigningBytes(s.Bytes), s.Sig) {`,
		New: `!ed25519.Verify(r.Reporter.Key(), ReportSigningBytes(s.Bytes), s.Sig) && !mutant("report-without-signature") {`,
	},
	{
		Name: "quarantine-by-two", File: "contact/report.go",
		Old: `	if len(lapses) < quarantineReporters {`,
		New: `	if mutant("quarantine-by-two") && len(lapses) == 2 {
		return now.Add(ReportLife), true
	}
	if len(lapses) < quarantineReporters {`,
	},
	{
		Name: "block-disclosed", File: "contact/check.go",
		Old: `	if q == QuestionBlocked && !p.Policy.DiscloseBlocks ||`,
		New: `	if q == QuestionBlocked && !p.Policy.DiscloseBlocks && !mutant("block-disclosed") ||`,
	},
	{
		Name: "check-answers-anybody", File: "contact/allow.go",
		Old: `	case p.Checks == Anyone, blocked`,
		New: `	case p.Checks == Anyone, mutant("check-answers-anybody"), blocked`,
	},
	{
		Name: "profile-for-the-blocked", File: "contact/allow.go",
		Old: `audience == Anyone && !blocked && !p.Marks.Removed`,
		New: `audience == Anyone && (!blocked && !p.Marks.Removed || mutant("profile-for-the-blocked"))`,
	},
	{
		Name: "profile-fetched-once", File: "profile/wants.go",
		Old: `known = row.Rev == rev`,
		New: `known = row.Rev == rev || row.Rev > 0 && mutant("profile-fetched-once")`,
	},
}

// helpers are functions that mutants call, by file.
var helpers = map[string]string{
	"node/check.go": `
func newPresenceKey(tx *store.Tx) error {
	if mutant("keep-presence-key-at-restore") {
		return nil
	}
	return presence.NewKey(tx)
}
`,
	"relation/block.go": `
func unblocked(s contact.Statement, e *entry) contact.Statement {
	if mutant("unblock-trusts") && e.theirs != nil && e.theirs.Pair != nil {
		return s.PairBy(*e.theirs.Pair, contact.PairedDefault)
	}
	return e.meet(s.List(contact.NoPermissions))
}
`,
	"relation/ask.go": `
func (a sentAsk) kept() contact.Permissions {
	if mutant("cancelled-ask-keeps-what-it-gave") {
		return contact.NoPermissions
	}
	return a.Gave
}
`,
	"pairing/window.go": `
func (s *Service) forgive() {
	_ = s.cfg.DB.Update(func(tx *store.Tx) error {
		return guesses.Delete(tx, []byte(guessesKey))
	})
}
`,
}
