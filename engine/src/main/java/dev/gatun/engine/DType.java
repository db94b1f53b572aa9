package dev.gatun.engine;

import java.util.Locale;

/**
 * What one element is. {@link #F32} and {@link #F64} compute; {@link #BF16} and {@link #F16} are
 * storage and are widened to F32 when an op reads them; the others index and mask.
 */
public enum DType {
    F32(4), F64(8), BF16(2), F16(2), I32(4), I64(8), BOOL(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
        return bytes;
    }

    /** Whether elements are real numbers, so that gradients make sense. */
    public boolean isFloat() {
        return this == F32 || this == F64 || isStorage();
    }

    /** Whether this type only stores numbers and computes as F32. */
    public boolean isStorage() {
        return this == BF16 || this == F16;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
