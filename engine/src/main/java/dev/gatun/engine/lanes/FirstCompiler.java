package dev.gatun.engine.lanes;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * Keeps HotSpot's first compiler (C1) off the vector kernels. C1 may take a large kernel at a tier without profiling,
 * fail at the next, and leave it there: such a method is never handed to the second compiler and stays at one percent
 * of its speed. A directive, added from inside the process, rules that out, so that nobody has to pass a flag.
 *
 * <p>Vector kernels are recognised by name: nested classes called {@code Fast}, whoever wrote them, and the classes
 * {@code Fast…} emitted into this package.
 */
public final class FirstCompiler {

    private static final String DIRECTIVE = """
            [{
              match: ["*$Fast*.*", "dev/gatun/engine/lanes/Fast*.*"],
              c1: { Exclude: true }
            }]
            """;

    private static String state;

    private FirstCompiler() {}

    /**
     * Adds the directive, once, and says how that went: the empty string when it stands, else the reason why not. Takes
     * a tenth of a second the first time, for the management beans, so it is best called in the background.
     */
    public static synchronized String keepOff() {
        if (state == null) {
            state = add();
        }
        return state;
    }

    private static String add() {
        try {
            Path file = Files.createTempFile("gatun-", ".json");
            try {
                Files.writeString(file, DIRECTIVE);
                Object answer = Management.invoke("compilerDirectivesAdd", file.toString());
                return String.valueOf(answer).contains("1 compiler directives added") ? "" : "the JVM answered: " + answer;
            } finally {
                Files.delete(file);
            }
        } catch (NoClassDefFoundError e) {
            return "the module java.management is not there";
        } catch (IOException | JMException | RuntimeException e) {
            return e.toString();
        }
    }

    /** Only loaded where java.management is. */
    private static final class Management {
        static Object invoke(String command, String... arguments) throws JMException {
            ObjectName diagnostics = new ObjectName("com.sun.management:type=DiagnosticCommand");
            return ManagementFactory.getPlatformMBeanServer()
                    .invoke(diagnostics, command, new Object[] {arguments}, new String[] {String[].class.getName()});
        }
    }
}
