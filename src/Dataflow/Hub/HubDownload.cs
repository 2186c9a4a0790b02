using System.Globalization;
using System.Net;

namespace Dataflow;

/// <summary>Fetches one file into its blob: over as many connections as it takes, from where the last one ended.</summary>
/// <param name="client">Makes requests.</param>
/// <param name="retries">Makes them again.</param>
/// <param name="settings">Who asks.</param>
/// <param name="name">The repository.</param>
/// <param name="cache">Where it comes to lie.</param>
/// <param name="commit">Of which commit.</param>
internal sealed class HubDownload(
    HubClient client, Retries retries, HubSettings settings, HubName name, HubCache cache, string commit)
{
    private const int PieceBytes = 1 << 18;

    /// <summary>Fetches it, unless its blob is there.</summary>
    /// <param name="file">The file.</param>
    /// <param name="held">Called if another program is fetching it.</param>
    /// <param name="there">Called once the blob is there, with whether it is new, while no one else may take it.</param>
    /// <param name="came">Told how many bytes more are at hand; fewer, where they have to come anew.</param>
    /// <param name="stop">Ends it; what came is kept.</param>
    /// <returns>Whether anything was fetched.</returns>
    /// <exception cref="FailedException">It does not come, or is not what was listed.</exception>
    public async Task<bool> Fetch(HubFile file, Action held, Action<bool> there, Action<long> came, CancellationToken stop)
    {
        HubCache.MakeFolderOf(cache.Lock(file));
        HubCache.MakeFolderOf(cache.Blob(file));
        using var claim = await HubLock.Take(cache.Lock(file), settings.Clock, held, stop).ConfigureAwait(false);
        if (HubCache.LengthOf(cache.Blob(file)) == file.Size || cache.Has(commit, file))
        {
            there(false);
            return false;
        }

        using var part = await PartialFile.Open(cache, file, stop).ConfigureAwait(false);
        bool isOthers = part.Length > 0;
        var transfer = new Transfer(file, part, came);
        while (true)
        {
            await retries.Run($"{file.Path} of {name.Repository}", () => Once(transfer, stop), () => part.Length, stop)
                .ConfigureAwait(false);
            if (part.IsRight)
            {
                part.Commit(cache);
                there(true);
                return true;
            }

            if (!isOthers)
            {
                part.Discard();
                throw new FailedException(
                    $"{file.Path} of {name.Repository} came with other content than the hub lists (by its hash), and was thrown away; "
                        + "try again, and if it stays so, something between here and the hub changes it");
            }

            // Whoever left it may not have written it in order: all of it comes again, once.
            transfer.Reset();
            isOthers = false;
        }
    }

    private async Task<bool> Once(Transfer transfer, CancellationToken stop)
    {
        var (file, part) = (transfer.File, transfer.Part);
        if (part.Length == file.Size)
        {
            return true;
        }

        using var silence = new Silence(settings, stop);
        string path = $"/{name.Repository}/resolve/{commit}/{HubPaths.Escaped(file.Path)}";
        using var answer = await client.Get(path, part.Length, silence).ConfigureAwait(false);
        Accept(answer, transfer);
        using var content = await answer.Content(silence).ConfigureAwait(false);
        byte[] piece = new byte[PieceBytes];
        while (await silence.During(t => content.ReadAsync(piece, t).AsTask()).ConfigureAwait(false) is var read and > 0)
        {
            if (part.Length + read > file.Size)
            {
                throw Changed(transfer, $"more than its {file.Size:N0} bytes come");
            }

            transfer.Append(piece.AsSpan(0, read));
        }

        return part.Length == file.Size ? true
            : throw new PassingFaultException($"the connection ended after {part.Length:N0} of {file.Size:N0} bytes");
    }

    /// <summary>Holds an answer against what was listed, and the part against the answer, before any of its bytes are taken.</summary>
    private void Accept(HubAnswer answer, Transfer transfer)
    {
        var (file, part) = (transfer.File, transfer.Part);
        switch (answer.Status)
        {
            case HttpStatusCode.OK or HttpStatusCode.PartialContent:
                break;
            case HttpStatusCode.RequestedRangeNotSatisfiable:
                long? all = answer.Response.Content.Headers.ContentRange?.Length;
                transfer.Reset();
                throw all is { } size && size != file.Size
                    ? Changed(transfer, $"it has {size:N0} bytes now, not {file.Size:N0}")
                    : new PassingFaultException($"{answer.Shown} has no bytes from where the last connection ended: all of it comes anew");
            default:
                throw HubErrors.Of(answer, name, file.Path, settings);
        }

        var said = answer.Metadata;
        if (said.Commit is null)
        {
            throw new FailedException(
                $"{settings.Endpoint} does not answer as a hub does (no X-Repo-Commit); a proxy or a login page may be in between, or "
                    + "HF_ENDPOINT is wrong");
        }

        if (said.Commit != commit || (file.Sha256 is { } hash && said.LinkedHash is { } linked && linked != hash)
            || (said.LinkedSize is { } length && length != file.Size))
        {
            throw Changed(transfer, "the hub names another commit, size or hash than before");
        }

        // Two parts of two contents make neither of them.
        bool isOther = part.Length > 0 && transfer.Tag is { } before && answer.Tag is { } now && before != now;
        transfer.Tag = answer.Tag ?? transfer.Tag;
        if (answer.Status == HttpStatusCode.OK)
        {
            transfer.Reset(); // all of it comes, whatever was asked for
            return;
        }

        if (isOther || answer.IsCompressed)
        {
            transfer.Reset();
            throw new PassingFaultException($"{answer.Shown} has changed in between: all of it comes anew");
        }

        var range = answer.Response.Content.Headers.ContentRange;
        if (range?.From != part.Length || (range.Length is { } total && total != file.Size))
        {
            throw new FailedException(string.Create(
                CultureInfo.InvariantCulture,
                $"{answer.Shown} was asked for {file.Path} from byte {part.Length} of {file.Size} and answers with another part "
                    + $"({range})"));
        }
    }

    private FailedException Changed(Transfer transfer, string how)
    {
        transfer.Reset();
        return new FailedException(
            $"{transfer.File.Path} of {name.Repository} is not what the hub listed: {how}; what had come of it was thrown away, try again");
    }

    /// <summary>A file on its way.</summary>
    private sealed class Transfer(HubFile file, PartialFile part, Action<long> came)
    {
        public HubFile File => file;

        public PartialFile Part => part;

        /// <summary>What the storage called the content that is coming.</summary>
        public string? Tag { get; set; }

        public void Append(ReadOnlySpan<byte> bytes)
        {
            part.Append(bytes);
            came(bytes.Length);
        }

        public void Reset()
        {
            long before = part.Length;
            part.Reset();
            if (before > 0)
            {
                came(-before);
            }
        }
    }
}
