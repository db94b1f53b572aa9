package dev.gatun.layers;

import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Room behind the keys and values of a state, so that writing text appends a token instead of copying
 * the past. Tokens lie one behind the other, {@code [capacity, B, H, K]}, outside of scopes; a state
 * shows a range of them as {@code [B, H, T, K]}. Rows that a state shows are never written again: who
 * appends first gets the room behind, and a second continuation of the same past gets a copy.
 */
public final class Cache {

    /** Keys and values {@code [B, H, T, K]}, and the room they lie in, if any. */
    record Content(Tensor keys, Tensor values, Cache cache) {

        long length() {
            return keys.dim(2);
        }

        /** Tokens {@code from} and on. */
        Content from(long from) {
            return from == 0 ? this : new Content(keys.slice(2, from, length()), values.slice(2, from, length()), cache);
        }
    }

    private static final long SMALLEST = 32;

    private final Tensor keys;
    private final Tensor values;
    private final AtomicLong filled = new AtomicLong();

    private Cache(long capacity, Tensor keys, Tensor values) {
        this.keys = room(capacity, keys);
        this.values = room(capacity, values);
    }

    private static Tensor room(long capacity, Tensor like) {
        return Tensor.lasting(new Spec(like.dtype(), Shape.of(capacity, like.dim(0), like.dim(1), like.dim(3))), like.device());
    }

    /** The past with further tokens behind it, copied only where there is no room. Nothing is recorded. */
    static Content append(Content past, Tensor keys, Tensor values) {
        long added = keys.dim(2);
        Cache cache = past.cache;
        long end = cache == null ? 0 : cache.end(past);
        if (cache == null || end < 0 || end + added > cache.keys.dim(0) || !cache.filled.compareAndSet(end, end + added)) {
            // Twice what is needed: a token is copied once more, on average, however long the text becomes.
            long needed = past.length() + added;
            cache = new Cache(Math.max(SMALLEST, 2 * needed), keys, values);
            cache.filled.set(needed);
            end = past.length();
            cache.write(0, past.keys, past.values);
        }
        cache.write(end, keys, values);
        return cache.show(end - past.length(), end + added);
    }

    /** Where the tokens of a past end in this room, or -1 when they lie elsewhere. */
    private long end(Content past) {
        long token = keys.shape().elements() / keys.dim(0);
        boolean here = past.keys.memory() == keys.memory() && past.values.memory() == values.memory();
        return here ? past.keys.offset() / token + past.length() : -1;
    }

    private void write(long from, Tensor newKeys, Tensor newValues) {
        long to = from + newKeys.dim(2);
        Dispatch.overwrite(newKeys.permute(2, 0, 1, 3), keys.slice(0, from, to));
        Dispatch.overwrite(newValues.permute(2, 0, 1, 3), values.slice(0, from, to));
    }

    private Content show(long from, long to) {
        return new Content(keys.slice(0, from, to).permute(1, 2, 0, 3), values.slice(0, from, to).permute(1, 2, 0, 3), this);
    }
}
