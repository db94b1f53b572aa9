package dev.gatun.engine;

import dev.gatun.bindings.onednn.OneDnn;
import dev.gatun.engine.lanes.VectorApi;
import dev.gatun.engine.onednn.Winners;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/**
 * Who computes: a name on every kernel. {@code -Dgatun.backends=vector,reference} narrows the
 * choice for a process, {@link #only} for a thread. Where a tensor lies is a choice of its own: tensors of a GPU are
 * computed by {@link #CUDA} kernels alone, and those of the CPU by the others.
 */
public enum Backend {
    /** Plain loops in double: the definition that all others are compared with. */
    REFERENCE,
    /** Plain loops in the dtype, which the JVM vectorises as it can. */
    SCALAR,
    /** Vector API loops. */
    VECTOR,
    /** Intel's oneDNN, where it is on the machine; unless it is named, only what the table of winners gives it. */
    ONEDNN,
    /** Kernels of a GPU, for tensors that lie there. */
    CUDA;

    private static final String ASKED = System.getProperty("gatun.backends");
    private static final Set<Backend> CHOSEN = ASKED == null ? EnumSet.allOf(Backend.class) : parse(ASKED);
    private static final ThreadLocal<Set<Backend>> NARROWED = new ThreadLocal<>();
    private static volatile boolean narrowing;

    /** Ends a narrowing made with {@link #only}. */
    public interface Narrowed extends AutoCloseable {
        @Override
        void close();
    }

    /** Whether kernels with this name may run on the calling thread. */
    public boolean on() {
        Set<Backend> narrowed = narrowing ? NARROWED.get() : null;
        return (narrowed == null ? CHOSEN : narrowed).contains(this) && switch (this) {
            case VECTOR -> VectorApi.present();
            case ONEDNN -> (named() || Winners.any()) && OneDnn.missing().isEmpty();
            default -> true;
        };
    }

    /** Whether this backend was asked for by name, with the property or {@link #only}. */
    public boolean named() {
        Set<Backend> narrowed = narrowing ? NARROWED.get() : null;
        return narrowed != null ? narrowed.contains(this) : ASKED != null && CHOSEN.contains(this);
    }

    /** Lets only these backends run on the calling thread until the result is closed. */
    public static Narrowed only(Backend first, Backend... more) {
        Set<Backend> before = NARROWED.get();
        NARROWED.set(EnumSet.of(first, more));
        narrowing = true;
        return () -> NARROWED.set(before);
    }

    static Set<Backend> parse(String names) {
        Set<Backend> set = EnumSet.noneOf(Backend.class);
        for (String name : names.split(",")) {
            try {
                set.add(valueOf(name.strip().toUpperCase(Locale.ROOT)));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("gatun.backends: no backend \"" + name.strip()
                        + "\"; there are vector, scalar, reference, onednn, cuda", e);
            }
        }
        return set;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
