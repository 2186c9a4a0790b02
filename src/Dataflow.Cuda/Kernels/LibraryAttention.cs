using Dataflow.Model;
using Dataflow.Runtime;
using static Dataflow.Cuda.Kernels.Launches;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Attention by cuDNN, block of keys by block of keys (<see cref="CudnnCalls"/>): its calls, a group of heads after the other, and
/// between them our kernels (kernels/attention_blocks.cu), which merge outputs and add up gradients in fp32. Plans are made before the
/// first step; a step allocates nothing.
/// </summary>
internal sealed class LibraryAttention : IDisposable
{
    private const int HalfBytes = 2;
    private readonly CudnnTarget target;
    private readonly CudnnHandle handle;
    private readonly Dictionary<CudnnAnswer.Offered, CudnnPlan> plans = [];
    private readonly Dictionary<CudnnCalls, (CudnnPlan Own, CudnnPlan? Earlier)> prepared = new(ReferenceEqualityComparer.Instance);
    private readonly CudaFunction merge;
    private readonly CudaFunction statistics;
    private readonly CudaFunction round;
    private readonly CudaFunction widen;
    private readonly CudaFunction addWide;
    private readonly CudaFunction addNarrow;

    /// <param name="library">Where our kernels are.</param>
    /// <param name="context">Of the GPU.</param>
    /// <param name="target">The release and the GPU that were planned for.</param>
    /// <exception cref="MachineException">This machine has another release, none, or another GPU.</exception>
    public LibraryAttention(KernelLibrary library, CudaContext context, CudnnTarget target)
    {
        this.target = target;
        Check(context.Gpu, target);
        merge = library.Function("attention_blocks", "attention_blocks_merge");
        statistics = library.Function("attention_blocks", "attention_blocks_statistics");
        round = library.Function("cast", "cast_f32_bf16");
        widen = library.Function("cast", "cast_bf16_f32");
        addWide = library.Function("accumulate", "accumulate_f32");
        addNarrow = library.Function("accumulate", "accumulate_bf16_f32");
        handle = CudnnHandle.Open(context);
    }

    /// <summary>Makes the plans of a program's calls.</summary>
    /// <exception cref="CudaException">cuDNN has no engine for one, or wants more memory than was planned.</exception>
    public void Prepare(CudnnCalls calls) =>
        prepared.TryAdd(calls, (PlanOf(calls.Own), calls.Earlier is { } earlier ? PlanOf(earlier) : null));

    /// <inheritdoc cref="IKernels.AttentionForward"/>
    public void Forward(CudaStream stream, CudnnCalls calls, in AttentionForwardArguments call)
    {
        handle.Use(stream);
        if (call.At.Row == 0)
        {
            // The row's first chunk, or whole rows: nothing is to be merged.
            ForwardBlock(stream, calls, calls.Own, call.Query.Address, call.Keys.Kv, (call.Output.Address, call.Lse), call.Workspace);
            return;
        }

        MergeBlocks(stream, calls, call.Query.Address, call.Keys.Kv, call.At.Row + call.Query.Rows, call.Workspace, continues: false);
        Finish(stream, calls, call.Workspace, call.Output.Address, call.Lse);
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentForward"/>
    public void ForwardSegment(CudaStream stream, CudnnCalls calls, in AttentionSegmentForwardArguments call)
    {
        handle.Use(stream);
        MergeBlocks(
            stream, calls, call.Query.Address, call.Keys.Kv, call.At.Row + call.Query.Rows - call.Keys.FirstRow, call.Sums, call.Continues);
    }

    /// <inheritdoc cref="IKernels.AttentionNormalize"/>
    public void Normalize(CudaStream stream, CudnnCalls calls, in AttentionNormalizeArguments call) =>
        Finish(stream, calls, call.Sums, call.Output.Address, call.Lse);

    /// <inheritdoc cref="IKernels.AttentionBackward"/>
    public void Backward(CudaStream stream, CudnnCalls calls, in AttentionBackwardArguments call)
    {
        handle.Use(stream);
        BackwardBlocks(stream, calls, call.AsSegment, calls.Merges ? 0 : call.GradQuery.Address);
        if (calls.Merges)
        {
            Round(stream, calls, call.Workspace, call.GradQuery.Address);
        }
    }

    /// <inheritdoc cref="IKernels.AttentionSegmentBackward"/>
    public void BackwardSegment(CudaStream stream, CudnnCalls calls, in AttentionSegmentBackwardArguments call)
    {
        handle.Use(stream);
        BackwardBlocks(stream, calls, call, 0);
    }

    /// <inheritdoc cref="IKernels.AttentionRounding"/>
    public void Finish(CudaStream stream, CudnnCalls calls, in AttentionRoundingArguments call) =>
        Round(stream, calls, call.GradQuerySums, call.GradQuery.Address);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var plan in plans.Values)
        {
            plan.Dispose();
        }

        handle.Dispose();
    }

    private static void Check(CudaGpu gpu, CudnnTarget target)
    {
        if (CudnnHandle.LibraryVersion is var release && release != target.Library)
        {
            throw new MachineException(
                $"the plan is for attention by cuDNN {target.Library}, and this machine has {release}: its results would be others; "
                    + $"install {target.Library}, or plan anew (a checkpoint can be the model of a new run)"
            );
        }

        if (gpu.Capability != target.Gpu)
        {
            throw new MachineException(
                $"the plan is for attention by cuDNN on {target.Architecture}, and {gpu.Name} has compute capability {gpu.Capability}; "
                    + "plan for this GPU, or with --attention own"
            );
        }
    }

    private static nuint At(nuint workspace, Bytes part) => workspace + (nuint)part.Value;

    private CudnnPlan PlanOf(CudnnAnswer.Offered answer) =>
        plans.TryGetValue(answer, out var plan)
            ? plan
            : plans[answer] = new CudnnPlan(handle, CudnnAttentionGraph.Build(answer, target));

    /// <summary>One block of keys after the other, up to that many of the tensor's rows; the row's last is the queries' own.</summary>
    private void MergeBlocks(
        CudaStream stream, CudnnCalls calls, nuint query, Tensor keys, int toOwn, nuint workspace, bool continues)
    {
        var memory = calls.Memory;
        int rows = Math.Min(keys.Rows, toOwn);
        for (int row = 0; row < rows; row += calls.BlockRows)
        {
            bool own = row + calls.BlockRows == toOwn;
            var part = (Output: At(workspace, memory.Output), Lse: At(workspace, memory.Statistics));
            ForwardBlock(stream, calls, own ? calls.Own : calls.Earlier!, query, keys.RowRange(row, calls.BlockRows), part, workspace);
            merge.Launch(
                stream,
                new(checked((int)Up((long)calls.Tokens * calls.Heads, 8)), 256),
                Launches.At(part.Output),
                Launches.At(part.Lse),
                Launches.At(At(workspace, memory.Sums)),
                Launches.At(At(workspace, memory.SumStatistics)),
                calls.Tokens,
                calls.Heads,
                calls.Own.Call.HeadDim,
                continues || row > 0 ? 0 : 1
            );
        }
    }

    private void ForwardBlock(
        CudaStream stream,
        CudnnCalls calls,
        CudnnAnswer.Offered asked,
        nuint query,
        Tensor keys,
        (nuint Output, nuint Lse) result,
        nuint workspace
    )
    {
        bool ordered = asked.Call.Sequences == 1;
        nuint lse = ordered ? result.Lse : At(workspace, calls.Memory.Statistics);
        for (int group = 0; group < asked.Calls; group++)
        {
            var pointers = default(CudnnPointers);
            Place(ref pointers, asked, group, query, keys);
            pointers[CudnnOperand.Output] = result.Output + QueryOffset(asked, group);
            pointers[CudnnOperand.LogSumExp] = lse + StatisticsOffset(asked, group);
            Plan(calls, asked).Run(pointers, workspace);
        }

        if (!ordered)
        {
            Order(stream, calls, lse, result.Lse, backward: false);
        }
    }

    private void BackwardBlocks(CudaStream stream, CudnnCalls calls, in AttentionSegmentBackwardArguments call, nuint gradQuery)
    {
        nuint workspace = call.GradQuerySums;
        nuint lse = call.Lse;
        if (calls.Own.Call.Sequences > 1)
        {
            lse = At(workspace, calls.Memory.Statistics);
            Order(stream, calls, call.Lse, lse, backward: true);
        }

        int toOwn = call.At.Row + call.Query.Rows - call.Keys.FirstRow, rows = Math.Min(call.Keys.Kv.Rows, toOwn);
        for (int row = 0; row < rows; row += calls.BlockRows)
        {
            // Of parts that are added up the first begins the sums.
            bool begins = row == 0 && !call.Continues;
            nuint part = !calls.Merges ? gradQuery : At(workspace, begins ? calls.Memory.Sums : calls.Memory.GradQuery);
            BackwardBlock(calls, row + calls.BlockRows == toOwn ? calls.Own : calls.Earlier!, call, row, (lse, part));
            AddKeys(stream, calls, call, row);
            if (calls.Merges && !begins)
            {
                long count = (long)calls.Tokens * calls.Heads * calls.Own.Call.HeadDim;
                nuint sums = At(workspace, calls.Memory.Sums);
                addWide.Launch(stream, new(checked((int)Up(count, 4096)), 256), Launches.At(part), Launches.At(sums), count);
            }
        }
    }

    private void BackwardBlock(
        CudnnCalls calls, CudnnAnswer.Offered asked, in AttentionSegmentBackwardArguments call, int row, (nuint Lse, nuint GradQuery) at)
    {
        var (memory, workspace) = (calls.Memory, call.GradQuerySums);
        for (int group = 0; group < asked.Calls; group++)
        {
            var pointers = default(CudnnPointers);
            Place(ref pointers, asked, group, call.Query.Address, call.Keys.Kv.RowRange(row, calls.BlockRows));
            nuint queries = QueryOffset(asked, group), keys = KeyOffset(asked, group);
            pointers[CudnnOperand.Output] = call.Output.Address + queries;
            pointers[CudnnOperand.GradOutput] = call.GradOutput.Address + queries;
            pointers[CudnnOperand.LogSumExp] = at.Lse + StatisticsOffset(asked, group);
            pointers[CudnnOperand.RowProducts] = At(workspace, memory.RowProducts);
            pointers[CudnnOperand.GradQuerySums] = At(workspace, memory.GradQuery);

            // A part is of fp32, elements twice as wide.
            pointers[CudnnOperand.GradQuery] = at.GradQuery + (calls.Merges ? 2 * queries : queries);
            pointers[CudnnOperand.GradKey] = At(workspace, memory.GradKeyValue) + keys;
            pointers[CudnnOperand.GradValue] = pointers[CudnnOperand.GradKey] + ValueOffset(asked);
            Plan(calls, asked).Run(pointers, workspace);
        }
    }

    private void AddKeys(CudaStream stream, CudnnCalls calls, in AttentionSegmentBackwardArguments call, int row)
    {
        var to = call.GradKeyValue.RowRange(row, calls.BlockRows);
        long count = (long)to.Rows * to.Columns;
        (call.Accumulate ? addNarrow : widen).Launch(
            stream,
            new(checked((int)Up(count, 8192)), 256),
            Launches.At(At(call.GradQuerySums, calls.Memory.GradKeyValue)),
            Launches.At(to),
            count
        );
    }

    private void Finish(CudaStream stream, CudnnCalls calls, nuint workspace, nuint output, nuint lse)
    {
        Round(stream, calls, workspace, output);
        Order(stream, calls, At(workspace, calls.Memory.SumStatistics), lse, backward: false);
    }

    private void Round(CudaStream stream, CudnnCalls calls, nuint workspace, nuint to)
    {
        long count = (long)calls.Tokens * calls.Heads * calls.Own.Call.HeadDim;
        round.Launch(
            stream, new(checked((int)Up(count, 8192)), 256), Launches.At(At(workspace, calls.Memory.Sums)), Launches.At(to), count);
    }

    private void Order(CudaStream stream, CudnnCalls calls, nuint from, nuint to, bool backward) =>
        statistics.Launch(
            stream,
            new(checked((int)Up((long)calls.Tokens * calls.Heads, 256)), 256),
            Launches.At(from),
            Launches.At(to),
            calls.Own.Calls,
            calls.Own.Call.Sequences,
            calls.Heads,
            calls.Own.Call.Queries,
            backward ? 1 : 0
        );

    private CudnnPlan Plan(CudnnCalls calls, CudnnAnswer.Offered asked)
    {
        var (own, earlier) = prepared[calls];
        return ReferenceEquals(asked, calls.Own) ? own : earlier!;
    }

    private static void Place(ref CudnnPointers pointers, CudnnAnswer.Offered asked, int group, nuint query, Tensor keys)
    {
        pointers[CudnnOperand.Query] = query + QueryOffset(asked, group);
        pointers[CudnnOperand.Key] = keys.Address + KeyOffset(asked, group);
        pointers[CudnnOperand.Value] = pointers[CudnnOperand.Key] + ValueOffset(asked);
    }

    private static nuint QueryOffset(CudnnAnswer.Offered asked, int group) =>
        (nuint)(HalfBytes * group * asked.Call.Heads * asked.Call.HeadDim);

    private static nuint KeyOffset(CudnnAnswer.Offered asked, int group) =>
        (nuint)(HalfBytes * group * asked.Call.KvHeads * asked.Call.HeadDim);

    private static nuint ValueOffset(CudnnAnswer.Offered asked) =>
        (nuint)(HalfBytes * asked.Calls * asked.Call.KvHeads * asked.Call.HeadDim);

    private static nuint StatisticsOffset(CudnnAnswer.Offered asked, int group) =>
        (nuint)(sizeof(float) * (long)group * asked.Call.Sequences * asked.Call.Heads * asked.Call.Queries);
}
