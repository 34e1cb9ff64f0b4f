/*
 * Trust between two devices: staging, statements, removal, re-pairing, restored
 * backups. Two devices, 0 and 1, act and meet in every order there is; frames
 * are lost and sessions end at every step. README.md says how to run it.
 *
 * A crash is the loss of what is in flight: package relation keeps nothing of a
 * relation in memory, and pairing only what dies with the session. Every step
 * marked "transaction" is one store transaction of the code and atomic here.
 *
 * Bounds, by -D: PAIRINGS (sessions), REMOVES, PARTS (remove --both), ADDS,
 * RESTORES (one copy is kept of each device and restored at any later time).
 * CLOCK: statement numbers follow a common clock, else the clock stands still.
 * A -DMUTANT_... takes one rule away; the check must then fail.
 */
#ifndef PAIRINGS
#define PAIRINGS 1
#endif
#ifndef REMOVES
#define REMOVES 0
#endif
#ifndef PARTS
#define PARTS 0
#endif
#ifndef ADDS
#define ADDS 0
#endif
#ifndef RESTORES
#define RESTORES 0
#endif
#define N 12       /* statements an author can make; more is a ping-pong and fails */
#define MEETINGS 3 /* exchanges from each side until both must agree */

/* contact.Statement. All that were ever signed stand in one table for each
 * author; 0 is none. Two entries are different bytes. */
byte seq[2*N];
byte pair[2*N];
byte part[2*N];
bit  listed[2*N];
byte issued[2];

/* relation.device with contact.Marks, and pairing/staged as a set of bits. */
typedef Disk {
	byte mine, theirs;
	byte mineSeq, theirsSeq, ackedSeq, addedSeq, partSeq, oldPair;
	byte staged;
	bit removed, known;
	bit want /* ghost: the user's last word on the contact was yes */
};
Disk D[2];
Disk copy[2];
bit copied[2];

bit  gone[2];      /* ghost: restored to before a removal that the peer holds */
byte entered;      /* ghost: pairings, as bits, that E has committed */
bit  undone;       /* ghost: something was removed or restored */
byte inflight;     /* sessions and exchanges under way */
byte restores;
byte ofCopy[2];    /* ghost: pairings staged before the copy that was restored */
bit  over;
bit  one_sided, behind, came_back, unpaired; /* what must not be at the end */

#define S(d, id)     ((d)*N + (id))
#define BIT(p)       (1 << (p))
#define MINE(d)      S(d, D[d].mine)
#define THEIRS(d)    S(1-(d), D[d].theirs)
#define LISTED(d)    (D[d].mine != 0 && listed[MINE(d)])
#define HELD(d)      (D[d].theirs != 0 && listed[THEIRS(d)])
/* contact.Unacknowledged */
#define UNACKED(d)   (D[d].mine != 0 && D[d].ackedSeq < seq[MINE(d)])
/* relation.Service.MayDial, and contact.Allow for ServiceRelation */
#ifdef MUTANT_NO_LAST_WORD
#define SERVED(d)    (LISTED(d) || D[d].staged != 0)
#else
#define SERVED(d)    (LISTED(d) || D[d].staged != 0 || UNACKED(d))
#endif
/* contact.between */
#ifdef MUTANT_BETWEEN_FOR_EVER
#define BETWEEN(d)   (D[d].oldPair != 0 && D[d].oldPair == pair[THEIRS(d)])
#else
#define BETWEEN(d)   (D[d].oldPair != 0 && D[d].oldPair == pair[THEIRS(d)] && UNACKED(d))
#endif
/* contact.Derive, as far as trust goes */
#ifdef MUTANT_OWN_WORD
#define TRUST(d)     (LISTED(d) && pair[MINE(d)] != 0)
#else
#define TRUST(d)     (LISTED(d) && HELD(d) && pair[MINE(d)] != 0 && pair[THEIRS(d)] != 0 && \
                      (pair[MINE(d)] == pair[THEIRS(d)] || BETWEEN(d)))
#endif
/* contact.Outrun */
#ifdef MUTANT_NO_OUTRUN
#define OUTRUN(d, y) (false)
#else
#define OUTRUN(d, y) (seq[S(d,y)] > D[d].mineSeq || (seq[S(d,y)] == D[d].mineSeq && D[d].mine != (y)))
#endif
/* contact.Judge: Fresh */
#define FRESH(d, m)  (seq[S(1-(d),m)] > D[d].theirsSeq)
/* contact.HonourPart */
#define PARTED(d, m) (part[S(1-(d),m)] != 0 && seq[S(1-(d),m)] > D[d].partSeq && D[d].addedSeq <= part[S(1-(d),m)])

byte last;
bit returned;

/* relation.Service.issue of contact.Next */
inline issue(d, l, p, asks) {
	last = D[d].mineSeq;
	if
	:: D[d].mine != 0 && seq[MINE(d)] > last -> last = seq[MINE(d)]
	:: else
	fi;
#ifdef CLOCK
	if
	:: last < issued[0] + issued[1] -> last = issued[0] + issued[1]
	:: else
	fi;
#endif
	issued[d]++;
	assert(issued[d] < N); /* no two devices answer each other for ever */
	seq[S(d,issued[d])] = last + 1;
	listed[S(d,issued[d])] = l;
	pair[S(d,issued[d])] = p;
	part[S(d,issued[d])] = asks;
	D[d].mine = issued[d];
	D[d].mineSeq = last + 1;
	D[d].known = 1;
	last = 0
}

/* relation.Service.bury */
inline bury(d) {
	D[d].removed = 1;
	D[d].oldPair = 0;
#ifndef MUTANT_REMOVAL_KEEPS_STAGED
	D[d].staged = 0
#endif
}

/* relation.Service.drop */
inline drop(d, asks) {
	issue(d, 0, 0, asks);
	bury(d)
}

/* pairing.Service.commit: relation.Service.CommitPairing, then DropStaged */
inline commit(d, p) {
	if
	:: D[d].mine != 0 && pair[MINE(d)] != 0 && pair[MINE(d)] != p -> D[d].oldPair = pair[MINE(d)]
	:: else
	fi;
	issue(d, 1, p, 0);
	D[d].removed = 0;
	D[d].addedSeq = seq[MINE(d)];
	D[d].staged = 0
}

/* pairing.Service.CommitStaged */
inline commitStaged(d, p) {
	if
	:: (D[d].staged & BIT(p)) != 0 ->
		assert((entered & BIT(p)) != 0); /* S never lists a device that did not commit */
		commit(d, p)
	:: else
	fi
}

/* relation.Service.acknowledge, with contact.TakeOver */
inline acknowledge(d, y) {
	if
	:: y == 0
	:: y != 0 && !OUTRUN(d, y) ->
		if
		:: seq[S(d,y)] == D[d].mineSeq -> D[d].ackedSeq = D[d].mineSeq
		:: else
		fi
	:: y != 0 && OUTRUN(d, y) ->
		if
		:: seq[S(d,y)] > D[d].mineSeq -> D[d].mineSeq = seq[S(d,y)]
		:: else
		fi;
		if
#ifndef MUTANT_NO_TAKE_OVER
		:: !listed[S(d,y)] ->
			if
			:: LISTED(d) -> bury(d)
			:: else
			fi;
			issue(d, 0, 0, part[S(d,y)])
		:: listed[S(d,y)] && pair[S(d,y)] == 0 -> issue(d, LISTED(d), 0, 0)
		:: listed[S(d,y)] && pair[S(d,y)] != 0 -> issue(d, LISTED(d), pair[MINE(d)], 0)
#else
		:: true -> issue(d, LISTED(d), pair[MINE(d)], 0)
#endif
		fi
	fi
}

/* relation.Service.apply: a stranger that shows this device's own word is none */
#ifdef MUTANT_STAGED_STRANGER_NOT_TOLD
#define KNOWN(d, y)  (D[d].known)
#else
#define KNOWN(d, y)  (D[d].known || (y) != 0)
#endif

/* relation.Service.take: one transaction, none if nothing is news */
inline take(d, m, y) {
	if
	:: (m != 0 && FRESH(d, m)) || (y != 0 && seq[S(d,y)] > D[d].ackedSeq) || (y != 0 && OUTRUN(d, y)) ->
#ifndef MUTANT_COMMIT_UNSEEN
		if /* DropStaged up to a withdrawal that this device forgot */
		:: y != 0 && OUTRUN(d, y) && !listed[S(d,y)] -> D[d].staged = D[d].staged & ~ofCopy[d]
		:: else
		fi;
#endif
		if
		:: m != 0 && pair[S(1-(d),m)] != 0 -> commitStaged(d, pair[S(1-(d),m)])
		:: else
		fi;
		if
		:: KNOWN(d, y) ->
			acknowledge(d, y);
			if
			:: m != 0 && FRESH(d, m) ->
				D[d].theirs = m;
				D[d].theirsSeq = seq[S(1-(d),m)];
				if
				:: D[d].mine != 0 && pair[MINE(d)] != 0 && pair[MINE(d)] == pair[S(1-(d),m)] -> D[d].oldPair = 0
				:: else
				fi;
				if
				:: LISTED(d) && PARTED(d, m) ->
					D[d].partSeq = seq[S(1-(d),m)];
					drop(d, 0)
				:: else
				fi
#ifdef MUTANT_PEER_ADDS
				;if
				:: !LISTED(d) && listed[S(1-(d),m)] -> issue(d, 1, 0, 0)
				:: else
				fi
#endif
			:: else
			fi
		:: else /* a stranger, of whom another pairing is staged */
		fi
	:: else
	fi
}

/* relation.Service.answerStranger: m and y are what it said, rm and ry the answer */
inline answerStranger(d, m, y, rm, ry) {
	ry = m;
	rm = 0;
	if
	:: y != 0 && OUTRUN(d, y) ->
		D[d].mineSeq = seq[S(d,y)];
		issue(d, 0, 0, 0);
		rm = D[d].mine
#ifndef MUTANT_STRANGER_NOT_TOLD
	:: y != 0 && !OUTRUN(d, y) && D[d].mine != 0 && seq[S(d,y)] < seq[MINE(d)] -> rm = D[d].mine
#endif
	:: else
	fi
}

/* After every transaction: a contact that the user removed is not on the list. */
inline tombstones() {
	returned = (LISTED(0) && (!D[0].want || D[0].removed)) || (LISTED(1) && (!D[1].want || D[1].removed));
	assert(!returned)
}

/* relation.Service.Exchange on one side, Handle on the other */
proctype Exchange(byte o) {
	byte m, y, first, rm, ry;
	bit serve;
	do
#ifdef ONE_EXCHANGE
	:: atomic { !over && SERVED(1-o) && inflight == 0 -> o = 1-o }
#endif
	:: atomic { !over && SERVED(o) ->
		inflight++;
		m = D[o].mine; y = D[o].theirs; first = m };      /* say, before anything is written */
		if
		:: skip -> goto lost
		:: atomic { serve = SERVED(1-o) }                 /* node.gate */
		fi;
		if
		:: skip -> goto lost
		:: atomic { serve -> take(1-o, m, y); tombstones(); /* answer: a transaction, then say */
			rm = D[1-o].mine; ry = D[1-o].theirs }
		:: atomic { !serve -> answerStranger(1-o, m, y, rm, ry); tombstones() }
		fi;
		if
		:: skip -> goto lost
		:: atomic { take(o, rm, ry); tombstones();        /* exchange: a transaction, then say */
			rm = 0; ry = 0; m = 0;
			y = D[o].theirs;
			if
			:: D[o].mine != first -> m = D[o].mine
			:: else
			fi;
			first = 0 }
		fi;
		if
		:: skip
		:: atomic { serve -> take(1-o, m, y); tombstones() } /* the last frame; a stranger's is not read */
		fi;
lost:	atomic { m = 0; y = 0; first = 0; rm = 0; ry = 0; serve = 0; inflight-- }
	:: over -> break
	od
}

/* The end of a session that proved its code; window.pml has the rest. */
proctype Pairing(byte p) {
	byte s;
	if
	:: s = 0
	:: s = 1
	fi;
	if
	:: over -> goto done
	:: atomic { !over -> inflight++;
#ifdef MUTANT_S_COMMITS_AT_ONCE
		D[s].staged = D[s].staged | BIT(p); D[s].want = 1;
		commitStaged(s, p);
#else
		D[s].staged = D[s].staged | BIT(p); D[s].want = 1; gone[s] = 0; /* stage: before message 06 */
#endif
		}
	fi;
	if
	:: skip -> goto ended                              /* 06 is lost */
#ifdef MUTANT_ACK_BEFORE_COMMIT
	:: atomic { commitStaged(s, p); tombstones() }
#endif
	:: skip
	fi;
	atomic {                                           /* seal of E: a transaction, before ACK */
		entered = entered | BIT(p); D[1-s].want = 1;
		commit(1-s, p);
		gone[1-s] = 0; tombstones()
	}
	if
	:: skip                                            /* ACK is lost */
	:: atomic { commitStaged(s, p); tombstones() }     /* Handle of S, after ACK */
	fi;
ended:	atomic { s = 0; inflight-- }
done:	skip
}

inline keep(to, from) {
	to.mine = from.mine; to.theirs = from.theirs;
	to.mineSeq = from.mineSeq; to.theirsSeq = from.theirsSeq;
	to.ackedSeq = from.ackedSeq; to.addedSeq = from.addedSeq;
	to.partSeq = from.partSeq; to.oldPair = from.oldPair;
	to.staged = from.staged; to.removed = from.removed;
	to.known = from.known; to.want = from.want
}

/* The meetings of the end, without loss: the keeper of relation/touch.go. */
inline meet(o) {
	if
	:: SERVED(o) ->
		m = D[o].mine; y = D[o].theirs; first = m;
		serve = SERVED(1-o);
		if
		:: serve -> take(1-o, m, y); rm = D[1-o].mine; ry = D[1-o].theirs
		:: else -> answerStranger(1-o, m, y, rm, ry)
		fi;
		take(o, rm, ry);
		y = D[o].theirs;
		m = 0;
		if
		:: D[o].mine != first -> m = D[o].mine
		:: else
		fi;
		if
		:: serve -> take(1-o, m, y)
		:: else
		fi;
		tombstones()
	:: else
	fi
}

proctype Users() {
	byte removes, parts, adds, n, m, y, first, rm, ry;
	bit serve;
	do
	/* relation.Service.Remove, of one side or asking both */
	:: atomic { removes + parts < REMOVES + PARTS && (LISTED(0) || LISTED(1)) ->
		if
		:: LISTED(0) -> n = 0
		:: LISTED(1) -> n = 1
		fi;
		if
		:: removes < REMOVES -> removes++; y = 0
		:: parts < PARTS -> parts++; y = D[n].theirsSeq
		fi;
		undone = 1; D[n].want = 0; gone[n] = 0;
		drop(n, y);
		n = 0; y = 0; tombstones() }
	/* relation.Service.Add */
	:: atomic { adds < ADDS && !(LISTED(0) && LISTED(1)) ->
		if
		:: !LISTED(0) -> n = 0
		:: !LISTED(1) -> n = 1
		fi;
		adds++; D[n].want = 1; gone[n] = 0;
		issue(n, 1, 0, 0); D[n].removed = 0; D[n].addedSeq = D[n].mineSeq;
		n = 0; tombstones() }
	/* a copy of contacts.db is taken, and put back while the daemon is stopped */
	:: atomic { RESTORES > 0 && !copied[0] -> copied[0] = 1; keep(copy[0], D[0]) }
#if RESTORES > 1 /* of one copy it does not matter which device's it is */
	:: atomic { !copied[1] -> copied[1] = 1; keep(copy[1], D[1]) }
#endif
	:: atomic { restores < RESTORES && inflight == 0 && copied[0] ->
		restores++; undone = 1;
		gone[0] = (D[0].mine != 0 && !LISTED(0) && !D[0].want && D[1].theirs == D[0].mine);
		gone[1] = 0;
		keep(D[0], copy[0]); ofCopy[0] = copy[0].staged }
	:: atomic { restores < RESTORES && inflight == 0 && copied[1] ->
		restores++; undone = 1;
		gone[1] = (D[1].mine != 0 && !LISTED(1) && !D[1].want && D[0].theirs == D[1].mine);
		gone[0] = 0;
		keep(D[1], copy[1]); ofCopy[1] = copy[1].staged }
	/* pairing.Service.expire, 30 days later */
	:: atomic { inflight == 0 && D[0].staged != 0 -> D[0].staged = 0; undone = 1 }
	:: atomic { inflight == 0 && D[1].staged != 0 -> D[1].staged = 0; undone = 1 }
	/* From any state at all: no more acts, and the two keep meeting. */
	:: d_step { inflight == 0 ->
		over = 1;
		removes = 0; parts = 0; adds = 0;
		do
		:: n < 2*MEETINGS -> meet((n & 1)); n++
		:: else -> break
		od;
		one_sided = (TRUST(0) != TRUST(1)) || (TRUST(0) && pair[MINE(0)] != pair[MINE(1)]);
		assert(!one_sided);
		/* those who list each other hold each other's newest word */
		behind = LISTED(0) && LISTED(1) && (D[0].theirs != D[1].mine || D[1].theirs != D[0].mine);
		assert(!behind);
		/* what was taken back, and the peer knows of, does not come back with a backup */
		came_back = LISTED(0) && LISTED(1) && (gone[0] || gone[1]);
		assert(!came_back);
#if PAIRINGS == 1
		/* a pairing that E committed becomes trust, whatever was lost, if nothing was undone */
		unpaired = entered && !undone && !TRUST(0);
		assert(!unpaired);
#endif
		}
		break
	od
}

init {
	atomic {
		run Exchange(0);
#ifndef ONE_EXCHANGE
		run Exchange(1);
#endif
		run Users();
		run Pairing(1);
#if PAIRINGS > 1
		run Pairing(2);
#endif
	}
}
