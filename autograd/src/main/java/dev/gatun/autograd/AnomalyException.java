package dev.gatun.autograd;

/** An op made a number that is not finite while {@link Anomaly} watched. */
public final class AnomalyException extends ArithmeticException {

    public AnomalyException(String message) {
        super(message);
    }
}
