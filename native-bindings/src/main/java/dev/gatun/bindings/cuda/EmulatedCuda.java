package dev.gatun.bindings.cuda;

import java.lang.invoke.MethodHandle;
import java.util.Map;

/**
 * Somebody who stands in for the CUDA driver: a function for each symbol, in Java. It is found as a service, and asked for
 * with {@code -Dgatun.cuda=emulated}. Arguments are those of the driver's own functions: {@code int}, {@code long},
 * {@code byte}, {@code float} and, for pointers, {@link java.lang.foreign.MemorySegment} without bounds; results are codes,
 * and nothing may be thrown.
 */
public interface EmulatedCuda {

    /** The functions by their exported names. */
    Map<String, MethodHandle> functions();
}
