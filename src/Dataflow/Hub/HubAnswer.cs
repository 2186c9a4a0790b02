using System.IO.Compression;
using System.Net;

namespace Dataflow;

/// <summary>What an answer of the hub itself says of a file; a storage host's own headers mean other things.</summary>
/// <param name="Commit">The commit that it serves; null if no answer on the way was a hub's.</param>
/// <param name="LinkedHash">The SHA-256 of a large file.</param>
/// <param name="LinkedSize">Its true size.</param>
internal sealed record HubMetadata(string? Commit, string? LinkedHash, long? LinkedSize);

/// <summary>The answer at the end of all redirects.</summary>
/// <param name="response">It.</param>
/// <param name="uri">What it answers.</param>
/// <param name="isOfHub">Whether it is the endpoint's rather than a storage host's.</param>
/// <param name="metadata">What the hub said on the way.</param>
internal sealed class HubAnswer(HttpResponseMessage response, Uri uri, bool isOfHub, HubMetadata metadata) : IDisposable
{
    private const int LongestText = 300;

    /// <summary>Whether it is the endpoint's rather than a storage host's.</summary>
    public bool IsOfHub => isOfHub;

    /// <summary>What the hub said on the way.</summary>
    public HubMetadata Metadata => metadata;

    /// <summary>What it answers.</summary>
    public Uri Uri => uri;

    /// <summary>The status.</summary>
    public HttpStatusCode Status => response.StatusCode;

    /// <summary>The whole response.</summary>
    public HttpResponseMessage Response => response;

    /// <summary>What identifies the content where it is stored; it means nothing but that it is the same.</summary>
    public string? Tag => response.Headers.ETag?.ToString();

    /// <summary>Whether the body is not the content itself but compressed, and its length says nothing.</summary>
    public bool IsCompressed => Encoding is not (null or "identity");

    /// <summary>Host and path: what is behind a '?' may be a signature.</summary>
    public string Shown => uri.GetLeftPart(UriPartial.Path);

    private string? Encoding => response.Content.Headers.ContentEncoding.LastOrDefault()?.ToLowerInvariant();

    /// <summary>A header's text, cut to a length that can be shown; null if it is missing.</summary>
    public string? Header(string name) => response.Headers.TryGetValues(name, out var values) && values.FirstOrDefault() is { } text
        ? text.Length > LongestText ? text[..LongestText] : text
        : null;

    /// <summary>The content.</summary>
    /// <exception cref="PassingFaultException">It is compressed in a way that nobody asked for and that is not known.</exception>
    public async Task<Stream> Content(Silence silence)
    {
        var body = await silence.During(stop => response.Content.ReadAsStreamAsync(stop)).ConfigureAwait(false);
        return Encoding switch
        {
            null or "identity" => body,
            "gzip" or "x-gzip" => new GZipStream(body, CompressionMode.Decompress),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            var other => throw new PassingFaultException($"{Shown} answers compressed ('{other}') although that was not asked for"),
        };
    }

    /// <inheritdoc/>
    public void Dispose() => response.Dispose();
}
