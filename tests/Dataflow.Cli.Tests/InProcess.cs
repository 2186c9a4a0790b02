using System.Text;

namespace Dataflow.Cli.Tests;

/// <summary>Runs a command line in this process and keeps what it prints apart from what others print at the same time.</summary>
internal static class InProcess
{
    private static readonly AsyncLocal<TextWriter?> s_output = new();
    private static readonly AsyncLocal<TextWriter?> s_errors = new();

    // Relative paths of the tests begin at the checkout, as they do for the processes that they start.
    static InProcess()
    {
        Directory.SetCurrentDirectory(Programs.Root);
        Console.SetOut(new Routed(s_output, Console.Out));
        Console.SetError(new Routed(s_errors, Console.Error));
    }

    /// <summary>Runs it, with the streams of a process behind pipes.</summary>
    public static Outcome Run(Func<string[], int> program, string[] arguments)
    {
        using MemoryStream output = new(), errors = new();
        int status = Run(program, arguments, output, errors);
        return new Outcome(status, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(errors.ToArray()));
    }

    private static int Run(Func<string[], int> program, string[] arguments, Stream output, Stream errors)
    {
        try
        {
            s_output.Value = Writer(output);
            s_errors.Value = Writer(errors);
            return program(arguments);
        }
        finally
        {
            s_output.Value = null;
            s_errors.Value = null;
        }
    }

    private static StreamWriter Writer(Stream stream) =>
        new(new PlainOutput(stream), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true) { AutoFlush = true };

    /// <summary>Writes to the writer of whoever runs, and of the threads that it started; else to the console.</summary>
    private sealed class Routed(AsyncLocal<TextWriter?> own, TextWriter console) : TextWriter
    {
        public override Encoding Encoding => console.Encoding;

        private TextWriter Target => own.Value ?? console;

        public override void Write(char value) => Target.Write(value);

        public override void Write(string? value) => Target.Write(value);

        public override void Write(char[] buffer, int index, int count) => Target.Write(buffer, index, count);

        public override void Write(ReadOnlySpan<char> buffer) => Target.Write(buffer);

        public override void WriteLine() => Target.WriteLine();

        public override void WriteLine(string? value) => Target.WriteLine(value);

        public override void Flush() => Target.Flush();
    }
}
