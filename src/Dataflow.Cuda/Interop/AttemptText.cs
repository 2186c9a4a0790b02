using System.Runtime.CompilerServices;

namespace Dataflow.Cuda.Interop;

/// <summary>What a call was for, put together only when it has failed: checked calls allocate nothing.</summary>
[InterpolatedStringHandler]
internal ref struct AttemptText
{
    private DefaultInterpolatedStringHandler text;

    public AttemptText(int literalLength, int holes, DriverStatus status, out bool failed)
        : this(literalLength, holes, status != DriverStatus.Success, out failed)
    {
    }

    public AttemptText(int literalLength, int holes, BlasStatus status, out bool failed)
        : this(literalLength, holes, status != BlasStatus.Success, out failed)
    {
    }

    public AttemptText(int literalLength, int holes, NvrtcStatus status, out bool failed)
        : this(literalLength, holes, status != NvrtcStatus.Success, out failed)
    {
    }

    private AttemptText(int literalLength, int holes, bool wanted, out bool failed)
    {
        failed = wanted;
        text = wanted ? new DefaultInterpolatedStringHandler(literalLength, holes) : default;
    }

    public void AppendLiteral(string value) => text.AppendLiteral(value);

    public void AppendFormatted<T>(T value) => text.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string? format) => text.AppendFormatted(value, format);

    public override string ToString() => text.ToStringAndClear();
}
