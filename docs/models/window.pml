/*
 * A pairing window at S: codes, sessions of several enterers, guesses. Every
 * interleaving, sessions cut off and S crashing at every step. README.md says how
 * to run it.
 *
 * A step marked "transaction" is one store transaction of package pairing, one
 * marked "lock" is what happens under Service.mu; both are atomic, and nothing else
 * is. The limits are scaled down, their order kept: WINDOW_ROUNDS for windowRounds
 * 20, DAY_ROUNDS for dayRounds 60, DAY_LONG for dayRoundsLong 300, PLACES for
 * maxSessions 4. All of it lies within one day.
 *
 * Bounds, by -D: ENTERERS (peers), SESSIONS (of each), CODES (displayed in all),
 * WINDOWS, CRASHES. A -DMUTANT_... takes one rule away; the check must then fail.
 */
#ifndef ENTERERS
#define ENTERERS 2
#endif
#ifndef SESSIONS
#define SESSIONS 2
#endif
#ifndef CODES
#define CODES 3
#endif
#ifndef WINDOWS
#define WINDOWS 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#define PLACES 2
#ifndef WINDOW_ROUNDS
#define WINDOW_ROUNDS 2
#endif
#ifndef DAY_ROUNDS
#define DAY_ROUNDS 3
#endif
#define DAY_LONG 1

#define SHORT 0 /* Accepts: 6 digits, 9 digits, links only */
#define LONG  1
#define LINKS 2
#define NONE  255

#define BIT(n) (1 << (n))

/* On disk: pairing/guesses by length of code, pairing/staged as a set of enterers. */
byte guesses[2];
byte staged;

/* In memory. A window is its number, 0 is none; what is the window's own is kept
 * by number, since a session may outlive its window. */
byte window;
byte opened;
byte accepts[WINDOWS+1];
byte rounds[WINDOWS+1];
byte current, previous;        /* codeTable.shown; a code is its number */
byte displayed;                /* codes so far */
byte secret;                   /* number of the codeTable's secret */
bit  placed[ENTERERS];         /* Service.sessions */
bit  proving[ENTERERS];
byte places;
byte lives;                    /* crashes so far */

/* Ghosts. */
byte length[CODES+1];          /* of each code */
byte madeOf[CODES+1];          /* its secret */
byte paired;                   /* codes that were used, as bits */
byte spent;                    /* secrets one of whose codes was used, as bits */
byte looked[2];                /* wrong guesses answered and not refunded */
byte lookedIn[WINDOWS+1];      /* short ones, by window */

#define LIMIT(t) (t == SHORT -> DAY_ROUNDS : DAY_LONG)

inline uncounted() {
	assert(looked[SHORT] <= guesses[SHORT]);
	assert(looked[LONG] <= guesses[LONG]);
	assert(looked[SHORT] <= DAY_ROUNDS);
	assert(looked[LONG] <= DAY_LONG);
	assert(lookedIn[w] <= WINDOW_ROUNDS)
}

/* Service.end */
inline end(w) {
	if
	:: window == w -> window = 0; current = 0; previous = 0
	:: else
	fi
}

/* guessRecord.allows */
inline allows(left) {
	if
	:: guesses[SHORT] < DAY_ROUNDS -> left = SHORT
	:: guesses[SHORT] >= DAY_ROUNDS && guesses[LONG] < DAY_LONG -> left = LONG
	:: guesses[SHORT] >= DAY_ROUNDS && guesses[LONG] >= DAY_LONG -> left = LINKS
	fi
}

/* window.restrict, with codeTable.renew, and the end of a window that shows no link */
inline restrict(w, left) {
	if
	:: left == SHORT && (accepts[w] == LONG || rounds[w] >= WINDOW_ROUNDS) -> left = LONG
	:: else
	fi;
	if
	:: left != accepts[w] ->
		accepts[w] = left; current = 0; previous = 0; secret++;
		if
		:: left == LINKS -> end(w)
		:: else
		fi
	:: else
	fi
}

/* Service.failed: what the guesses left is read first, then applied under the lock */
inline failed() {
	atomic { allows(left) };
	atomic {
		if
		:: window == w -> restrict(w, left)
		:: else
		fi;
		left = 0 }
}

/* The guess is compared; if it is right, Service.use with codeTable.use, a lock.
 * Then e will learn what came of it. */
inline look() {
	atomic {
		yes = (typed == code && window == w && (code == current || code == previous));
#ifdef MUTANT_USE_IN_TWO
		};
	atomic {
#endif
		if
		:: yes ->
			/* a code pairs once, and no other one of its secret after it */
			assert((paired & BIT(code)) == 0);
			assert((spent & BIT(madeOf[code])) == 0);
			paired = paired | BIT(code); spent = spent | BIT(madeOf[code]);
#ifdef MUTANT_NO_RENEWAL
			if
			:: code == current -> current = 0
			:: else -> previous = 0
			fi
#else
			current = 0; previous = 0; secret++
#endif
		:: !yes ->
			looked[length[code]]++; wrong[length[code]]++;
			if
			:: length[code] == SHORT -> lookedIn[w]++
			:: else
			fi
		fi;
		typed = 0;
		uncounted() }
}

/* What depends on the code leaves after a counted guess that was right. */
inline answer() {
	assert(debited && yes)
}

/* Service.Handle and showing.run, with peer e at the other end. A stream that is
 * reset, by the network, by e, or because the session yielded its place or its
 * window ended, is the choice to go to over. */
proctype Session(byte e) {
	byte n, w, life = NONE, typed, code, other, left, round, i;
	byte debits[2], wrong[2];
	bit debited, yes;
	do
	:: n == SESSIONS -> break
	:: n < SESSIONS -> n++; {
		/* node.gate and Handle: a lock */
		atomic {
			if
			:: window == 0 -> life = lives; goto over
			:: window != 0 -> w = window; life = lives
			fi };
		/* Service.admit: a lock. Who has sent no proof yields its place. */
		atomic {
			if
			:: places < PLACES -> places++; placed[e] = 1
			:: places >= PLACES ->
				do
				:: i < ENTERERS && !(placed[i] && !proving[i]) -> i++
				:: i < ENTERERS && placed[i] && !proving[i] -> placed[i] = 0; placed[e] = 1; break
				:: i == ENTERERS -> break
				od;
				i = 0
			fi;
			if
			:: !placed[e] -> goto over                      /* busy */
			:: placed[e]
			fi };
		/* HELLO; Service.candidates: a lock */
		atomic {
			if
			:: window != w || (current == 0 && previous == 0) -> goto over
			:: window == w && current != 0 -> code = current; other = previous
			:: window == w && previous != 0 -> code = previous; other = current
			fi };
		do
		:: code == 0 -> break
		:: code != 0 ->
			/* OFFER, PROVE: e guesses a code that was displayed some time, or none */
			if
			:: skip -> goto over
			:: typed = 0
			:: typed = code
			:: other != 0 -> typed = other
			fi;
#ifdef MUTANT_CONFIRM_FIRST
			atomic { debited = 0; answer() };
#endif
			/* Service.proving: a lock */
			atomic {
				if
				:: !placed[e] -> typed = 0; goto over
				:: placed[e] -> proving[e] = 1
				fi };
#ifdef MUTANT_LOOK_FIRST
			atomic { debited = 1; look() };
#endif
			/* Service.takeRound: a lock */
			atomic {
				if
				:: accepts[w] == length[code] && (length[code] == LONG || rounds[w] < WINDOW_ROUNDS) ->
#ifndef MUTANT_WINDOW_NOT_COUNTED
					if
					:: length[code] == SHORT -> rounds[w]++
					:: else
					fi;
#endif
					yes = 1
				:: else -> yes = 0
				fi };
			if
			:: !yes -> typed = 0; failed(); goto over
			:: yes -> yes = 0
			fi;
			/* Service.debit: a transaction */
#ifdef MUTANT_DEBIT_IN_TWO
			atomic { yes = (guesses[length[code]] < LIMIT(length[code])) };
			atomic {
				if
				:: yes -> guesses[length[code]]++; debits[length[code]]++; debited = 1
				:: else
				fi; yes = 0 };
#else
			atomic {
				if
				:: guesses[length[code]] < LIMIT(length[code]) ->
					guesses[length[code]]++; debits[length[code]]++; debited = 1
				:: else
				fi };
#endif
			if
			:: !debited -> typed = 0; failed(); goto over
			:: debited
			fi;
#ifndef MUTANT_LOOK_FIRST
			/* round looks at the proof: use is a lock, nothing else is shared */
			look();
#endif
			if
			:: yes -> break
			:: !yes -> debited = 0; typed = 0; failed()
			fi;
			atomic {
				proving[e] = 0;
				code = 0;
				if
				:: round == 0 && other != 0 -> code = other; other = 0; round = 1
				:: else
				fi }
		od;
		if
		:: !yes -> goto over
		:: yes
		fi;
		/* CONFIRM and the first Noise message: what depends on the code */
		answer();
		if
		:: skip -> goto over                               /* message 05 does not come */
		:: skip
		fi;
		/* Service.stage: a transaction; then a lock */
		atomic {
			staged = staged | BIT(e);
			guesses[SHORT] = guesses[SHORT] - debits[SHORT]; guesses[LONG] = guesses[LONG] - debits[LONG];
			looked[SHORT] = looked[SHORT] - wrong[SHORT]; looked[LONG] = looked[LONG] - wrong[LONG];
			lookedIn[w] = lookedIn[w] - wrong[SHORT];
			wrong[SHORT] = 0; wrong[LONG] = 0;
			uncounted() };
		atomic { rounds[w] = rounds[w] - debits[SHORT]; debits[SHORT] = 0; debits[LONG] = 0 };
		/* message 06 lets e commit */
		atomic { assert((staged & BIT(e)) != 0); answer() };
		if
		:: skip -> goto over                               /* ACK does not come */
		:: skip
		fi;
		/* CommitStaged: a transaction; committed, a lock, ends the window */
		atomic { staged = staged & ~BIT(e) };
		atomic { end(w) };
over:		skip
		} unless { atomic { n > 0 && lives != life && life != NONE } };
		atomic { /* Service.leave; after a crash there is nobody to leave */
			if
			:: life == lives && placed[e] -> placed[e] = 0; places--
			:: else
			fi;
			if
			:: life == lives -> proving[e] = 0
			:: else
			fi;
			life = NONE;
			w = 0; typed = 0; code = 0; other = 0; left = 0; round = 0; i = 0;
			debits[0] = 0; debits[1] = 0; wrong[0] = 0; wrong[1] = 0; debited = 0; yes = 0 }
	od
}

/* The user, time, and bad luck. */
proctype Device() {
	byte left, shown, w;
	do
	/* Service.Show and watch: another window if any code may be shown */
	:: atomic { window == 0 && opened < WINDOWS ->
		allows(left);
		if
		:: left != LINKS -> opened++; window = opened; secret++; accepts[window] = left
		:: else -> opened = WINDOWS
		fi; left = 0 }
	/* Service.look and codeTable.show */
	:: atomic { window != 0 && displayed < CODES ->
		displayed++;
		previous = current; current = displayed;
		length[displayed] = accepts[window]; madeOf[displayed] = secret }
	:: atomic { previous != 0 -> previous = 0 }
	/* nobody looks any more */
	:: atomic { window != 0 -> w = window; end(w); w = 0 }
	:: atomic { lives < CRASHES ->
		lives++;
		window = 0; current = 0; previous = 0; places = 0;
		do
		:: left < ENTERERS -> placed[left] = 0; proving[left] = 0; left++
		:: else -> break
		od;
		left = 0
#ifdef MUTANT_COUNT_IN_MEMORY
		; guesses[SHORT] = 0; guesses[LONG] = 0
#endif
		}
	:: opened == WINDOWS && window == 0 -> break
	od
}

init {
	atomic {
		run Device();
		run Session(0);
		run Session(1);
#if ENTERERS > 2
		run Session(2);
#endif
	}
}
