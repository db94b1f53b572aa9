package dev.gatun.engine;

import dev.gatun.engine.lanes.FirstCompiler;
import dev.gatun.engine.lanes.SegmentProfile;
import dev.gatun.engine.lanes.VectorApi;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * A fast form of a kernel that is used once the compiler has it, and a plain one that answers until then.
 *
 * <p>Vector code is up to a thousand times slower than scalar code before the JVM's optimising compiler has taken it.
 * One daemon thread runs the fast forms on scratch data, a little of each in turn, and times them against the plain
 * ones; a form that stays slow is made anew, because to the compiler a new class is a new start.
 *
 * @param <T> what both forms are
 */
public final class Warmup<T> {

    /** Where a warm-up stands. */
    public enum State {
        /** Nobody has asked yet. */
        COLD,
        /** The plain form answers, the fast one is brought up to speed. */
        WARMING,
        /** The fast form answers. */
        FAST,
        /** The plain form answers for good. */
        PLAIN
    }

    /**
     * What is known of a warm-up, for people and tests.
     *
     * @param plainNanos shortest time of the plain form on the exercise; 0 before it ran
     * @param fastNanos shortest time of the latest fast form
     * @param made how often the fast form was made
     * @param seconds from the first use until now, or until the state was final
     * @param reason why the plain form answers for good, else empty
     */
    public record Report(
            String name, State state, long plainNanos, long fastNanos, int made, double seconds, String reason) {}

    private static final boolean DETERMINISTIC = Boolean.getBoolean("gatun.deterministic");

    /** A turn on the thread: long enough to get somewhere, short enough that compilations of several forms overlap. */
    private static final long TURN_NANOS = 5_000_000;
    /** Rounds without a better time after which a form is taken to have been compiled. */
    private static final int SETTLED = 12;
    /** A settled plain form is timed again now and then, in case the compiler was only late. */
    private static final int PLAIN_AGAIN = 8;
    /** A form counts as one that stays slow after so many runs, if they also took so long; twice as long for each next one. */
    private static final int PATIENCE_RUNS = 600;
    private static final long PATIENCE_NANOS = 6_000_000_000L;
    private static final int ATTEMPTS = 5;
    /** Timing noise: a fast form need not win, it must not lose. */
    private static final double TOLERANCE = 1.1;
    /** A form that loses by less when patience ends is compiled, and only the arguments were too short for it to win. */
    private static final double STUCK = 2;

    private static final List<Warmup<?>> ALL = new ArrayList<>();
    private static final Deque<Warmup<?>> PENDING = new ArrayDeque<>();
    private static Thread thread;
    private static int held;

    private final String name;
    private final T plain;
    private final Supplier<T> maker;
    private final Consumer<T> exercise;
    private final int patienceRuns;
    private final long patienceNanos;

    private volatile T answer;
    private volatile T latest;
    private volatile State state = State.COLD;

    // Written by the warm-up thread and read for reports, under the lock of ALL.
    private final Stopwatch plainTime = new Stopwatch();
    private volatile Stopwatch fastTime = new Stopwatch();
    private volatile int made;
    private long startNanos;
    private long endNanos;
    private String reason = "";

    /** Times of one form. */
    private static final class Stopwatch {
        long best = Long.MAX_VALUE;
        long last;
        long total;
        int runs;
        int sinceBetter;

        void time(Runnable run) {
            long start = System.nanoTime();
            run.run();
            last = System.nanoTime() - start;
            runs++;
            total += last;
            sinceBetter = last < best * 0.9 ? 0 : sinceBetter + 1;
            best = Math.min(best, last);
        }

        boolean settled() {
            return sinceBetter >= SETTLED;
        }
    }

    /** A warm-up that takes a form for slow after so many runs of at least so many nanoseconds in all. */
    Warmup(String name, T plain, Supplier<T> maker, Consumer<T> exercise, int patienceRuns, long patienceNanos) {
        this.patienceRuns = patienceRuns;
        this.patienceNanos = patienceNanos;
        this.name = name;
        this.plain = plain;
        this.maker = maker;
        this.exercise = exercise;
    }

    /**
     * A pair of forms. Nothing happens before the first {@link #get}.
     *
     * @param fast makes the fast form; called again, for a fresh hidden class, when one stays slow
     * @param exercise runs a form on scratch data: well under a millisecond of work for a compiled form, in loops of at
     *     least 64 steps, through every branch that matters
     */
    public static <T> Warmup<T> of(String name, T plain, Supplier<T> fast, Consumer<T> exercise) {
        return new Warmup<>(name, plain, fast, exercise, PATIENCE_RUNS, PATIENCE_NANOS);
    }

    /**
     * The form to use now. With {@code -Dgatun.deterministic=true} this waits for the warm-up, so that the same form
     * answers from the first call on.
     */
    public T get() {
        T form = answer;
        return form != null ? form : first();
    }

    /** As {@link #get}, but never waiting: for two forms that give the same bits. */
    public T now() {
        if (state == State.COLD) {
            synchronized (ALL) {
                if (state == State.COLD) {
                    start();
                }
            }
        }
        T form = answer;
        return form != null ? form : plain;
    }

    /** Whether the fast form is the one to use now; asking starts the warm-up, like {@link #get}. */
    public boolean ready() {
        return get() != plain;
    }

    /** Whether the fast form answers: it is up to speed, or scalar kernels are off and nobody is there to stand in for it. */
    public boolean answers() {
        return ready() || !Backend.SCALAR.on();
    }

    /** The fast form, up to speed or not. */
    public T fast() {
        T form = latest;
        return form != null ? form : make();
    }

    private synchronized T make() {
        if (latest == null) {
            latest = maker.get();
            made++;
        }
        return latest;
    }

    private T first() {
        if (state == State.WARMING && !DETERMINISTIC) {
            return plain;
        }
        synchronized (ALL) {
            if (state == State.COLD) {
                start();
            }
            if (DETERMINISTIC && Thread.currentThread() != thread) {
                await();
            }
        }
        T form = answer;
        return form != null ? form : plain;
    }

    /** Waits until every warm-up that was started has ended, one way or the other. */
    public static void awaitAll() {
        synchronized (ALL) {
            for (Warmup<?> warmup : List.copyOf(ALL)) {
                warmup.await();
            }
        }
    }

    /**
     * Keeps warm-ups from beginning until closed: while the plain forms themselves are still being compiled, on few
     * cores, fast ones only get in the way. No effect under {@code gatun.deterministic}, where callers wait for them.
     */
    public static Held hold() {
        synchronized (ALL) {
            held++;
        }
        return () -> {
            synchronized (ALL) {
                held--;
                ALL.notifyAll();
            }
        };
    }

    /** What keeps warm-ups from beginning, until it is closed. */
    @FunctionalInterface
    public interface Held extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Waits until every warm-up that was started has ended, or for so long; whether all have. On few cores this is the
     * quickest way to full speed: while plain forms compute, the compiler waits for a core.
     */
    public static boolean awaitAll(Duration most) {
        long end = System.nanoTime() + most.toNanos();
        synchronized (ALL) {
            while (ALL.stream().anyMatch(warmup -> warmup.state == State.WARMING)) {
                long left = (end - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return false;
                }
                try {
                    ALL.wait(left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return false;
                }
            }
            return true;
        }
    }

    /** How all warm-ups that were started stand, in the order of their first use. */
    public static List<Report> reports() {
        synchronized (ALL) {
            return ALL.stream().<Report>map(Warmup::report).toList();
        }
    }

    /** How this warm-up stands. */
    public Report report() {
        synchronized (ALL) {
            long until = endNanos == 0 ? System.nanoTime() : endNanos;
            return new Report(
                    name, state, plainTime.best == Long.MAX_VALUE ? 0 : plainTime.best,
                    fastTime.best == Long.MAX_VALUE ? 0 : fastTime.best, made,
                    state == State.COLD ? 0 : (until - startNanos) * 1e-9, reason);
        }
    }

    // ---- under the lock ----

    private void start() {
        startNanos = System.nanoTime();
        ALL.add(this);
        if (!VectorApi.present()) {
            end(State.PLAIN, VectorApi.missing());
            return;
        }
        state = State.WARMING;
        PENDING.add(this);
        if (thread == null) {
            thread = new Thread(Warmup::turns, "gatun-warm-up");
            thread.setDaemon(true);
            thread.setPriority(Thread.MIN_PRIORITY);
            thread.start();
        }
        ALL.notifyAll();
    }

    private void await() {
        boolean interrupted = false;
        while (state == State.WARMING) {
            try {
                ALL.wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void end(State state, String reason) {
        this.state = state;
        this.reason = reason;
        endNanos = System.nanoTime();
        answer = state == State.FAST ? latest : plain;
        ALL.notifyAll();
    }

    // ---- on the warm-up thread ----

    private static void turns() {
        FirstCompiler.keepOff();
        SegmentProfile.teach();
        while (true) {
            Warmup<?> next;
            synchronized (ALL) {
                while (PENDING.isEmpty() || held > 0 && !DETERMINISTIC) {
                    try {
                        ALL.wait();
                    } catch (InterruptedException e) {
                        return;
                    }
                }
                next = PENDING.remove();
            }
            boolean more = next.turn();
            synchronized (ALL) {
                if (more) {
                    PENDING.add(next);
                }
            }
        }
    }

    /** Runs both forms for a while; false when the outcome is clear. */
    private boolean turn() {
        try {
            long start = System.nanoTime();
            do {
                T form = fast();
                if (!plainTime.settled() || fastTime.runs % PLAIN_AGAIN == 0) {
                    plainTime.time(() -> exercise.accept(plain));
                }
                fastTime.time(() -> exercise.accept(form));
                if (plainTime.settled() && fastTime.settled() && fastTime.best <= plainTime.best * TOLERANCE) {
                    synchronized (ALL) {
                        end(State.FAST, "");
                    }
                    return false;
                }
                if (fastTime.runs > patienceRuns && fastTime.total > patienceNanos << made - 1) {
                    if (fastTime.best <= plainTime.best * STUCK) {
                        synchronized (ALL) {
                            end(State.FAST, "");
                        }
                        return false;
                    }
                    if (made == ATTEMPTS) {
                        synchronized (ALL) {
                            end(State.PLAIN, "the fast form stayed slow: " + fastTime.best + " ns against " + plainTime.best);
                        }
                        return false;
                    }
                    fastTime = new Stopwatch();
                    latest = null;
                }
            } while (System.nanoTime() - start < TURN_NANOS);
            return true;
        } catch (Throwable e) {
            synchronized (ALL) {
                end(State.PLAIN, "the warm-up failed: " + e);
            }
            return false;
        }
    }
}
