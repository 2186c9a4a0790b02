namespace Dataflow.Cli;

/// <summary>Standard output cannot take what is printed.</summary>
internal sealed class OutputException(Exception inner) : FailedException($"the output cannot be written: {inner.Message}", inner);

/// <summary>Standard output, whose failures can be told from those of files, and which a run with more to lose can do without.</summary>
internal sealed class GuardedOutput(Stream inner) : Stream
{
    private static Action<OutputException>? goOn;

    /// <summary>The first failure since <see cref="GoOnWithout"/>; null if there was none.</summary>
    public static OutputException? Lost { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>
    /// Puts itself between the program and its standard output, and <see cref="PlainOutput"/> between it and both outputs.
    /// </summary>
    public static void Install()
    {
        Console.SetOut(
            new StreamWriter(new GuardedOutput(new PlainOutput(Console.OpenStandardOutput())), Console.Out.Encoding, leaveOpen: true)
            {
                AutoFlush = true,
            }
        );
        Console.SetError(
            new StreamWriter(new PlainOutput(Console.OpenStandardError()), Console.Error.Encoding, leaveOpen: true) { AutoFlush = true }
        );
    }

    /// <summary>From now on what cannot be printed is dropped: what a run trains must not be lost with a line about it.</summary>
    /// <param name="told">Told of the first failure.</param>
    public static void GoOnWithout(Action<OutputException> told) => goOn = told;

    /// <inheritdoc/>
    public override void Flush() => Guard(inner.Flush);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Guard(() => inner.Write(buffer, offset, count));

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    private static void Guard(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var failure = new OutputException(e);
            if (goOn is null)
            {
                throw failure;
            }

            if (Lost is null)
            {
                Lost = failure;
                goOn(failure);
            }
        }
    }
}
