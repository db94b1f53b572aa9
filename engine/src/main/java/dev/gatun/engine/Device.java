package dev.gatun.engine;

import java.util.Locale;

/**
 * Where numbers lie: {@code cpu}, {@code cuda:0}, or nowhere. A tensor on {@link #none()} has a
 * spec only; ops on it apply their shape rules and touch no memory.
 */
public record Device(Kind kind, int index) {

    /** Kinds of device. */
    public enum Kind { CPU, CUDA, NONE }

    private static final Device CPU = new Device(Kind.CPU, 0);
    private static final Device NONE = new Device(Kind.NONE, 0);

    /** The memory of this process, off the heap. */
    public static Device cpu() {
        return CPU;
    }

    /** A GPU by its number. */
    public static Device cuda(int index) {
        return new Device(Kind.CUDA, index);
    }

    /** No memory at all: shapes without numbers. */
    public static Device none() {
        return NONE;
    }

    @Override
    public String toString() {
        String name = kind.name().toLowerCase(Locale.ROOT);
        return kind == Kind.CUDA ? name + ":" + index : name;
    }
}
