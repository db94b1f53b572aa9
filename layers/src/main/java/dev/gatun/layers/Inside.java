package dev.gatun.layers;

import dev.gatun.engine.Tensor;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * What a layer computes on its way, by name, for whoever listens: gates, decays, surprise. A layer names a number where it
 * makes it, {@code named("forget gate", f)}; without a listener that does nothing.
 */
public final class Inside {

    private static final ScopedValue<BiConsumer<String, Tensor>> LISTENER = ScopedValue.newInstance();

    private Inside() {}

    /** Runs something and hands every named tensor of this thread to {@code listener} as it is made. */
    public static <T> T listen(BiConsumer<String, Tensor> listener, Supplier<T> run) {
        return ScopedValue.where(LISTENER, listener).call(run::get);
    }

    /** The same tensor, shown to the listener if there is one. */
    public static Tensor named(String name, Tensor x) {
        if (LISTENER.isBound()) {
            LISTENER.get().accept(name, x);
        }
        return x;
    }

    /** As {@link #named(String, Tensor)}, for what only a listener needs. */
    public static void named(String name, Supplier<Tensor> x) {
        if (LISTENER.isBound()) {
            LISTENER.get().accept(name, x.get());
        }
    }
}
