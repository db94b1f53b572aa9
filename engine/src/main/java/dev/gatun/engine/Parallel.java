package dev.gatun.engine;

import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * The threads kernels run on: one pool of platform threads ({@code -Dgatun.threads}, all cores by
 * default) and the caller. Work items are independent, so which thread takes which piece never
 * changes a result.
 *
 * <p>Pieces are claimed from a counter instead of being forked in halves: the caller starts at
 * once, helpers join when they wake, and whoever is late finds nothing left. That kept the cost of
 * a small parallel loop at a few microseconds.
 */
public final class Parallel {

    /** A piece of work that is worth handing to another thread. */
    private static final double PIECE_NANOS = 20_000;
    private static final int PIECES_PER_THREAD = 4;

    private static final int DEFAULT_THREADS =
            Math.max(1, Integer.getInteger("gatun.threads", Runtime.getRuntime().availableProcessors()));
    private static final ThreadLocal<Integer> LIMIT = new ThreadLocal<>();
    private static volatile boolean limiting;
    private static volatile ForkJoinPool pool;

    private Parallel() {}

    /** Ends a limit made with {@link #limit}. */
    public interface Limit extends AutoCloseable {
        @Override
        void close();
    }

    /** Threads that work called for by this thread may use, itself included. */
    public static int threads() {
        Integer limit = limiting ? LIMIT.get() : null;
        return limit == null ? DEFAULT_THREADS : limit;
    }

    /** Lets work called for by this thread use {@code threads} threads, until the result is closed. */
    public static Limit limit(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("parallel: at least one thread is needed, not " + threads);
        }
        Integer before = LIMIT.get();
        LIMIT.set(threads);
        limiting = true;
        return () -> LIMIT.set(before);
    }

    /** Runs a body over all items and returns when every one is done. */
    static void run(Args a, Kernel.Body body, long items, double nanosPerItem) {
        int threads = threads();
        boolean virtual = Thread.currentThread().isVirtual();
        long grain = Math.max(1, (long) (PIECE_NANOS / Math.max(nanosPerItem, 0.01)));
        if (!virtual && (threads == 1 || items <= grain)) {
            body.run(a, 0, items);
            return;
        }
        long pieces = Math.max(1, Math.min((long) threads * PIECES_PER_THREAD, items / grain));
        Loop loop = new Loop(a, body, items, Math.ceilDiv(items, pieces));
        long helpers = Math.min(threads - 1, Math.ceilDiv(items, loop.piece) - 1);
        if (virtual) {
            helpers = Math.max(1, helpers);
        }
        ForkJoinPool workers = workers((int) helpers);
        for (long i = 0; i < helpers; i++) {
            workers.execute(loop);
        }
        // Virtual threads call the engine but never compute: their carrier is not ours.
        if (!virtual) {
            loop.run();
        }
        loop.await();
    }

    private static ForkJoinPool workers(int wanted) {
        ForkJoinPool workers = pool;
        if (workers == null || workers.getParallelism() < wanted) {
            synchronized (Parallel.class) {
                if (pool == null) {
                    pool = new ForkJoinPool(Math.max(wanted, DEFAULT_THREADS - 1), Parallel::worker, null, true);
                } else if (pool.getParallelism() < wanted) {
                    pool.setParallelism(wanted);
                }
                workers = pool;
            }
        }
        return workers;
    }

    private static java.util.concurrent.ForkJoinWorkerThread worker(ForkJoinPool pool) {
        var thread = ForkJoinPool.defaultForkJoinWorkerThreadFactory.newThread(pool);
        thread.setName("gatun-" + thread.getPoolIndex());
        thread.setDaemon(true);
        return thread;
    }

    /** One loop under way: pieces are claimed from {@code next}, and {@code done} counts finished items. */
    private static final class Loop implements Runnable {
        private static final int SPINS = 2_000;

        private final Args a;
        private final Kernel.Body body;
        private final long items;
        private final long piece;
        private final AtomicLong next = new AtomicLong();
        private final AtomicLong done = new AtomicLong();
        private final AtomicReference<Throwable> failure = new AtomicReference<>();
        private final Thread caller = Thread.currentThread();

        Loop(Args a, Kernel.Body body, long items, long piece) {
            this.a = a;
            this.body = body;
            this.items = items;
            this.piece = piece;
        }

        @Override
        public void run() {
            for (long from = next.getAndAdd(piece); from < items; from = next.getAndAdd(piece)) {
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
        }

        void await() {
            for (int spin = 0; done.get() < items; spin++) {
                if (spin < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
            switch (failure.get()) {
                case null -> { }
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable t -> throw new IllegalStateException(t);
            }
        }
    }
}
