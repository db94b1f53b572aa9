package dev.gatun.engine;

import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * The threads kernels run on: platform threads of our own ({@code -Dgatun.threads}, all cores by
 * default, the caller counted) that serve every caller. Work items are independent, so which thread
 * takes which piece never changes a result.
 *
 * <p>Pieces are claimed from a counter: the caller starts at once, workers join as they wake, and
 * whoever is late finds nothing left. Workers look for work a little while before they sleep, since
 * the next op of a training step comes within microseconds and waking a thread costs tens of them;
 * that is why this is no {@code ForkJoinPool}.
 */
public final class Parallel {

    /** A piece of work that is worth handing to another thread. */
    private static final double PIECE_NANOS = 20_000;
    private static final int PIECES_PER_THREAD = 4;
    /** How long a worker without work stays awake. */
    private static final long AWAKE_NANOS = 200_000;

    private static final int DEFAULT_THREADS =
            Math.max(1, Integer.getInteger("gatun.threads", Runtime.getRuntime().availableProcessors()));
    private static final Bounds DEFAULT = new Bounds(DEFAULT_THREADS, PIECE_NANOS);
    private static final ThreadLocal<Bounds> LIMIT = new ThreadLocal<>();
    private static volatile boolean limiting;

    private static final ConcurrentLinkedQueue<Loop> OPEN = new ConcurrentLinkedQueue<>();
    private static volatile Worker[] workers = {};

    private Parallel() {}

    /** How many threads, and how long a piece of work must be before it is cut off for another. */
    private record Bounds(int threads, double pieceNanos) {}

    /** Ends a limit made with {@link #limit}. */
    public interface Limit extends AutoCloseable {
        @Override
        void close();
    }

    /** Threads that work called for by this thread may use, itself included. */
    public static int threads() {
        return bounds().threads;
    }

    private static Bounds bounds() {
        Bounds limit = limiting ? LIMIT.get() : null;
        return limit == null ? DEFAULT : limit;
    }

    /** Lets work called for by this thread use {@code threads} threads, until the result is closed. */
    public static Limit limit(int threads) {
        return limit(new Bounds(threads, PIECE_NANOS));
    }

    /** Like {@link #limit}, and work is cut into as many pieces as there may be, however short: for tests of the seams. */
    public static Limit limitAndCut(int threads) {
        return limit(new Bounds(threads, 0));
    }

    private static Limit limit(Bounds bounds) {
        if (bounds.threads < 1) {
            throw new IllegalArgumentException("parallel: at least one thread is needed, not " + bounds.threads);
        }
        Bounds before = LIMIT.get();
        LIMIT.set(bounds);
        limiting = true;
        return () -> LIMIT.set(before);
    }

    /** Runs a body over all items and returns when every one is done. */
    static void run(Args a, Kernel.Body body, long items, double nanosPerItem) {
        Bounds bounds = bounds();
        int threads = bounds.threads;
        // Virtual threads call the engine but never compute: their carrier is not ours.
        boolean virtual = Thread.currentThread().isVirtual();
        long grain = Math.max(1, (long) (bounds.pieceNanos / Math.max(nanosPerItem, 0.01)));
        if (!virtual && (threads == 1 || items <= grain)) {
            body.run(a, 0, items);
            return;
        }
        long pieces = Math.max(1, Math.min((long) threads * PIECES_PER_THREAD, items / grain));
        long piece = Math.ceilDiv(items, pieces);
        int helpers = (int) Math.min(virtual ? threads : threads - 1, Math.ceilDiv(items, piece) - (virtual ? 0 : 1));
        Loop loop = new Loop(a, body, items, piece, helpers);
        OPEN.add(loop);
        wake(helpers);
        if (!virtual) {
            loop.work();
        }
        loop.await();
        OPEN.remove(loop);
        loop.rethrow();
    }

    private static void wake(int helpers) {
        Worker[] all = workers;
        if (all.length < helpers) {
            all = grow(helpers);
        }
        int awake = 0;
        for (int i = 0; i < all.length && awake < helpers; i++) {
            awake++;
            if (all[i].asleep) {
                LockSupport.unpark(all[i]);
            }
        }
    }

    private static synchronized Worker[] grow(int wanted) {
        Worker[] before = workers;
        if (before.length >= wanted) {
            return before;
        }
        Worker[] more = Arrays.copyOf(before, wanted);
        for (int i = before.length; i < wanted; i++) {
            more[i] = new Worker(i);
            more[i].start();
        }
        workers = more;
        return more;
    }

    /** Serves whatever loop is open. */
    private static final class Worker extends Thread {
        private volatile boolean asleep;

        Worker(int number) {
            super("gatun-" + (number + 1));
            setDaemon(true);
        }

        @Override
        public void run() {
            long idleSince = System.nanoTime();
            while (true) {
                boolean worked = false;
                for (Loop loop : OPEN) {
                    worked |= loop.help();
                }
                if (worked) {
                    idleSince = System.nanoTime();
                } else if (System.nanoTime() - idleSince < AWAKE_NANOS) {
                    Thread.onSpinWait();
                } else {
                    sleep();
                    idleSince = System.nanoTime();
                }
            }
        }

        private void sleep() {
            asleep = true;
            // A loop opened before the flag was seen is found here; one opened after unparks.
            if (OPEN.stream().noneMatch(Loop::wantsHelp)) {
                LockSupport.park(this);
            }
            asleep = false;
        }
    }

    /** One loop under way: pieces are claimed from {@code next}, and {@code done} counts finished items. */
    private static final class Loop {
        private static final int SPINS = 20_000;

        private final Args a;
        private final Kernel.Body body;
        private final long items;
        private final long piece;
        private final AtomicInteger places;
        private final AtomicLong next = new AtomicLong();
        private final AtomicLong done = new AtomicLong();
        private final AtomicReference<Throwable> failure = new AtomicReference<>();
        private final Thread caller = Thread.currentThread();

        Loop(Args a, Kernel.Body body, long items, long piece, int helpers) {
            this.a = a;
            this.body = body;
            this.items = items;
            this.piece = piece;
            this.places = new AtomicInteger(helpers);
        }

        boolean wantsHelp() {
            return places.get() > 0 && next.get() < items;
        }

        /** Works as a helper when there is a place for one; whether it did anything. */
        boolean help() {
            if (!wantsHelp() || places.getAndDecrement() <= 0) {
                return false;
            }
            return work();
        }

        boolean work() {
            boolean worked = false;
            for (long from = next.getAndAdd(piece); from < items; from = next.getAndAdd(piece)) {
                worked = true;
                long to = Math.min(from + piece, items);
                try {
                    if (failure.get() == null) {
                        body.run(a, from, to);
                    }
                } catch (Throwable t) {
                    failure.compareAndSet(null, t);
                }
                if (done.addAndGet(to - from) == items) {
                    LockSupport.unpark(caller);
                }
            }
            return worked;
        }

        void await() {
            for (int spin = 0; done.get() < items; spin++) {
                if (spin < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
        }

        void rethrow() {
            switch (failure.get()) {
                case null -> { }
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable t -> throw new IllegalStateException(t);
            }
        }
    }
}
