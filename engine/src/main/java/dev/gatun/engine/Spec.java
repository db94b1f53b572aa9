package dev.gatun.engine;

/** A tensor without its numbers: dtype and shape. Prints as {@code f32[8, 128, 64]}. */
public record Spec(DType dtype, Shape shape) {

    /** Bytes of the elements when they lie without gaps. */
    public long bytes() {
        return Math.multiplyExact(shape.elements(), (long) dtype.bytes());
    }

    /** The same dtype with another shape. */
    public Spec with(Shape other) {
        return new Spec(dtype, other);
    }

    /** The same shape with another dtype. */
    public Spec with(DType other) {
        return new Spec(other, shape);
    }

    /** Refuses any spec but this one for what has that name. */
    public void require(String name, Spec other) {
        if (!equals(other)) {
            throw new ShapeException(name + " must be " + this + ", is " + other);
        }
    }

    @Override
    public String toString() {
        return dtype + shape.toString();
    }
}
