package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class InterruptTest {

    /** Work in a process of its own: it says that it began, and saves when it is asked to stop. */
    static final class Work {
        public static void main(String[] args) {
            try (Interrupt interrupt = Interrupt.listen(() -> System.out.println("stopping"))) {
                System.out.println("working");
                while (!interrupt.requested()) {
                    Thread.onSpinWait();
                }
                System.out.println("saved");
            }
        }
    }

    @Test
    void an_interrupt_waits_for_the_work_to_be_saved() throws IOException, InterruptedException {
        assumeTrue(new File("/bin/kill").canExecute(), "no /bin/kill here");
        String classes = String.join(
                File.pathSeparator, location(Interrupt.class), location(Work.class));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", classes, Work.class.getName())
                .redirectErrorStream(true)
                .start();
        try (BufferedReader lines = process.inputReader()) {
            assertEquals("working", lines.readLine());
            new ProcessBuilder("/bin/kill", "-INT", Long.toString(process.pid())).start().waitFor();

            assertEquals("stopping", lines.readLine());
            assertEquals("saved", lines.readLine());
            assertEquals(130, process.waitFor());
        }
    }

    private static String location(Class<?> type) {
        return new File(type.getProtectionDomain().getCodeSource().getLocation().getPath()).toString();
    }
}
