import sys,tokenize,io,re
def split(content,width,f):
    out=[];cur=""
    i=0;depth=0
    units=[]
    # units: atoms that must not be split
    while i<len(content):
        c=content[i]
        if c=="\\" : units.append(content[i:i+2]); i+=2; continue
        if f and c=="{":
            if content[i:i+2]=="{{": units.append("{{"); i+=2; continue
            j=content.index("}",i); units.append(content[i:j+1]); i=j+1; continue
        if f and content[i:i+2]=="}}": units.append("}}"); i+=2; continue
        units.append(c); i+=1
    lines=[];cur=[];last=None
    for u in units:
        cur.append(u)
        if u in "|" or u==" ": last=len(cur)
        if sum(map(len,cur))>=width:
            k=last or len(cur)
            lines.append("".join(cur[:k])); cur=cur[k:]
            last=None
            for n,x in enumerate(cur):
                if x=="|" or x==" ": last=n+1
    if cur: lines.append("".join(cur))
    return lines
for p in sys.argv[1:]:
    for _ in range(3):
        src=open(p).read(); lines=src.split("\n"); done=False
        toks=[t for t in tokenize.generate_tokens(io.StringIO(src).readline) if t.type==tokenize.STRING and t.start[0]==t.end[0]]
        from unicodedata import east_asian_width as w
        W=lambda s:sum(2 if w(c) in "WF" else 1 for c in s)
        edits={}
        for t in toks:
            r=t.start[0]-1
            if W(lines[r])<=100: continue
            m=re.match(r"([a-zA-Z]*)(\"|')(.*)\2$",t.string,re.S)
            if not m: continue
            pre,q,c=m.groups()
            if W(c)<30: continue
            edits.setdefault(r,[]).append((t,pre,q,c))
        if not edits: break
        for r,es in sorted(edits.items(),reverse=True):
            line=lines[r]
            t,pre,q,c=max(es,key=lambda e:W(e[3]))
            ind=len(line)-len(line.lstrip())
            cjk=W(c)/max(len(c),1)
            parts=split(c,int((92-ind)/cjk)-4,"f" in pre.lower())
            if len(parts)==1: continue
            pad=" "*(ind+ (0 if line.lstrip().startswith(t.string) else 4))
            new=("\n"+pad).join(f"{pre}{q}{x}{q}" for x in parts)
            lead="" if line.lstrip().startswith(t.string) else "\n"+pad
            lines[r]=line[:t.start[1]]+lead+new+line[t.end[1]:]
        open(p,"w").write("\n".join(lines))
