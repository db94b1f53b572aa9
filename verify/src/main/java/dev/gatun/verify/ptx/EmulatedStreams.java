package dev.gatun.verify.ptx;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BooleanSupplier;

/**
 * Streams that do nothing until somebody waits: then their work is done, from one stream or another, in any order that
 * events allow. So a wait that a program forgot shows.
 */
final class EmulatedStreams {

    /** A mark in a stream: how often it was asked for, how often it was reached, and when last. */
    static final class Event {
        private int asked;
        private int reached;
        private long nanos;

        boolean done() {
            return reached >= asked;
        }

        long nanos() {
            return nanos;
        }
    }

    private record Work(BooleanSupplier ready, Runnable work) {}

    /** Work in order. */
    static final class Stream {
        private final ArrayDeque<Work> queue = new ArrayDeque<>();

        boolean done() {
            return queue.isEmpty();
        }
    }

    private final List<Stream> streams = new ArrayList<>();
    private final Random order;

    EmulatedStreams(long seed) {
        order = new Random(seed);
    }

    Stream open() {
        Stream stream = new Stream();
        streams.add(stream);
        return stream;
    }

    void close(Stream stream) {
        streams.remove(stream);
    }

    void add(Stream to, Runnable work) {
        to.queue.add(new Work(() -> true, work));
    }

    void record(Stream in, Event event) {
        int ticket = ++event.asked;
        add(in, () -> {
            event.reached = ticket;
            event.nanos = System.nanoTime();
        });
    }

    void await(Stream stream, Event event) {
        int ticket = event.asked;
        stream.queue.add(new Work(() -> event.reached >= ticket, () -> { }));
    }

    /** Works until the condition holds. */
    void until(BooleanSupplier done) {
        while (!done.getAsBoolean()) {
            List<Stream> ready = streams.stream().filter(s -> !s.queue.isEmpty() && s.queue.peek().ready.getAsBoolean()).toList();
            if (ready.isEmpty()) {
                throw new PtxFault(PtxFault.LAUNCH, "streams wait for events that nobody will reach");
            }
            ready.get(order.nextInt(ready.size())).queue.poll().work.run();
        }
    }

    /** Works until nothing is left. */
    void all() {
        until(() -> streams.stream().allMatch(Stream::done));
    }

    void drop() {
        streams.forEach(stream -> stream.queue.clear());
    }
}
