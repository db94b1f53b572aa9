package dev.gatun.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C (or a polite kill) as a question that the work asks itself: the JVM's end waits until the work has stopped and
 * closed this, or for a minute. The exit code is then the JVM's own, 130 after Ctrl-C and 143 after a kill.
 */
final class Interrupt implements AutoCloseable {

    private static final long PATIENCE_SECONDS = 60;

    private final CountDownLatch done = new CountDownLatch(1);
    private final Thread hook;
    private volatile boolean requested;

    private Interrupt(Runnable whenAsked) {
        this.hook = new Thread(() -> await(whenAsked), "gatun-interrupt");
    }

    /** From now on Ctrl-C asks instead of ending; {@code whenAsked} tells the user that the question was heard. */
    static Interrupt listen(Runnable whenAsked) {
        Interrupt interrupt = new Interrupt(whenAsked);
        Runtime.getRuntime().addShutdownHook(interrupt.hook);
        return interrupt;
    }

    /** Has somebody asked to stop? */
    boolean requested() {
        return requested;
    }

    /** The work is done and saved: nothing has to be waited for any more. */
    @Override
    public void close() {
        done.countDown();
        if (!requested) {
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException alreadyEnding) {
                return;
            }
        }
    }

    private void await(Runnable whenAsked) {
        requested = true;
        if (done.getCount() == 0) {
            return;
        }
        whenAsked.run();
        try {
            done.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
